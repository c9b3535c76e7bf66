-- Of changed companies: a version that ends with snapshot $1 takes over an equal
-- one that begins with the next snapshot, $2; the latter is deleted by its own
-- statement.
UPDATE crm_company_versions
SET effective_to = next.effective_to
FROM crm_company_versions AS next
WHERE crm_company_versions.effective_to = $1
  AND crm_company_versions.company_id IN (SELECT company_id FROM crm_changes)
  AND next.company_id = crm_company_versions.company_id
  AND next.effective_from = $2
  AND (next.name, next.country, next.industry_tag, next.last_contact_at)
    IS (
      crm_company_versions.name, crm_company_versions.country,
      crm_company_versions.industry_tag, crm_company_versions.last_contact_at
    )
