-- Versions of changed companies that began before the export's day $1 and
-- covered it end with the snapshot before, $2.
UPDATE crm_company_versions
SET effective_to = $2
WHERE effective_from < $1
  AND (effective_to IS NULL OR effective_to >= $1)
  AND company_id IN (SELECT company_id FROM crm_changes)
