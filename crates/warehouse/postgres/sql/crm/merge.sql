-- Of changed companies: a version that ends with snapshot $1 takes over an equal
-- one that begins with the next snapshot, $2; the latter is deleted by its own
-- statement.
UPDATE crm_company_versions AS version
SET effective_to = next.effective_to
FROM crm_changes AS changed
JOIN crm_company_versions AS next USING (company_id)
WHERE version.company_id = changed.company_id
  AND version.effective_to = $1
  AND next.effective_from = $2
  AND is_same_company(next, version)
