-- A version that ends with the snapshot before, ?2, takes over an equal one
-- that begins on the export's day ?1; the latter is deleted by its own statement.
UPDATE crm_company_versions
SET effective_to = next.effective_to
FROM crm_company_versions AS next
WHERE crm_company_versions.effective_to = ?2
  AND crm_company_versions.company_id IN (SELECT company_id FROM crm_changes)
  AND next.company_id = crm_company_versions.company_id
  AND next.effective_from = ?1
  AND (next.name, next.country, next.industry_tag, next.last_contact_at)
    IS (
      crm_company_versions.name, crm_company_versions.country,
      crm_company_versions.industry_tag, crm_company_versions.last_contact_at
    )
