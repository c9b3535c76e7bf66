-- Versions of changed companies that begin on $1 although an earlier version
-- now covers that day: what a merge left behind.
DELETE FROM crm_company_versions
WHERE effective_from = $1
  AND company_id IN (SELECT company_id FROM crm_changes)
  AND EXISTS (
    SELECT 1 FROM crm_company_versions AS earlier
    WHERE earlier.company_id = crm_company_versions.company_id
      AND earlier.effective_from < $1
      AND (earlier.effective_to IS NULL OR earlier.effective_to >= $1)
  )
