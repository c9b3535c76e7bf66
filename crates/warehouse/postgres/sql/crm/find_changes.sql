-- The companies whose state on the export's day differs from the state that
-- held there before. $1: the snapshot that held before; NULL if there was none.
WITH
-- The companies of that snapshot.
before AS (
  SELECT company_id, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  WHERE effective_from <= $1::DATE AND (effective_to IS NULL OR effective_to >= $1)
)
INSERT INTO crm_changes (
  company_id, is_present, name, country, industry_tag, last_contact_at, unreadable
)
SELECT
  company_id, incoming.company_id IS NOT NULL,
  incoming.name, incoming.country, incoming.industry_tag, incoming.last_contact_at, incoming.unreadable
FROM crm_incoming AS incoming
FULL JOIN before USING (company_id)
-- New companies, those with other values, and those that the export no longer has.
WHERE incoming.company_id IS NULL
  OR before.company_id IS NULL
  OR (incoming.name, incoming.country, incoming.industry_tag, incoming.last_contact_at)
    IS DISTINCT FROM (before.name, before.country, before.industry_tag, before.last_contact_at)
