-- How many companies snapshot $1 has now.
UPDATE crm_snapshots
SET companies = (
  SELECT COUNT(*) FROM crm_company_versions
  WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to >= $1)
)
WHERE effective_on = $1
