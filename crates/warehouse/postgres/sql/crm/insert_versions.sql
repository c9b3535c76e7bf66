-- The changed companies that the export has, on its day $1 alone, or open if it
-- is the newest snapshot. $2: the next snapshot; NULL if there is none.
INSERT INTO crm_company_versions (
  company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at
)
SELECT
  company_id, $1::DATE, CASE WHEN $2::DATE IS NOT NULL THEN $1 END,
  name, country, industry_tag, last_contact_at
FROM crm_changes
WHERE is_present
