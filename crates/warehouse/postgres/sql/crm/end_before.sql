-- Versions of changed companies that began before the export's day $1 and
-- covered it end with the snapshot before, $2.
UPDATE crm_company_versions AS version
SET effective_to = $2
FROM crm_changes AS changed
WHERE changed.company_id = version.company_id
  AND version.effective_from < $1
  AND (version.effective_to IS NULL OR version.effective_to >= $1)
