-- The companies whose state on the export's day differs from the state that
-- held there before. $1: the snapshot that held before; NULL if there was none.
WITH
-- The companies of that snapshot.
before AS (
  SELECT company_id, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to >= $1)
),
-- New companies, and those with other values.
written AS (
  SELECT incoming.company_id
  FROM crm_incoming AS incoming
  LEFT JOIN before USING (company_id)
  WHERE before.company_id IS NULL
    OR (incoming.name, incoming.country, incoming.industry_tag, incoming.last_contact_at)
      IS NOT (before.name, before.country, before.industry_tag, before.last_contact_at)
),
-- Companies that the export no longer has.
removed AS (
  SELECT company_id FROM before WHERE company_id NOT IN (SELECT company_id FROM crm_incoming)
)
INSERT INTO crm_changes (company_id, is_present)
SELECT company_id, TRUE FROM written
UNION ALL
SELECT company_id, FALSE FROM removed
