-- The companies of snapshot $1 whose state differs from what was derived until now.
WITH
-- The state until now.
stated AS (
  SELECT company_id, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  WHERE effective_from <= $1::DATE AND (effective_to IS NULL OR effective_to >= $1)
)
INSERT INTO crm_changes (
  company_id, is_present, name, country, industry_tag, last_contact_at, unreadable
)
SELECT
  mark.company_id, incoming.company_id IS NOT NULL,
  incoming.name, incoming.country, incoming.industry_tag, incoming.last_contact_at, incoming.unreadable
FROM crm_unreadable AS mark
LEFT JOIN crm_incoming AS incoming ON incoming.company_id = mark.company_id
LEFT JOIN stated ON stated.company_id = mark.company_id
WHERE mark.effective_on = $1
  AND (
    (incoming.company_id IS NULL) <> (stated.company_id IS NULL)
    OR (incoming.name, incoming.country, incoming.industry_tag, incoming.last_contact_at)
      IS DISTINCT FROM (stated.name, stated.country, stated.industry_tag, stated.last_contact_at)
  )
