-- Of changed companies whose version reaches beyond the export's day $1: the
-- part from the next snapshot $2 on becomes a version of its own.
INSERT INTO crm_company_versions (
  company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at
)
SELECT company_id, $2, effective_to, name, country, industry_tag, last_contact_at
FROM crm_company_versions
WHERE company_id IN (SELECT company_id FROM crm_changes)
  AND effective_from <= $1
  AND (effective_to IS NULL OR effective_to > $1)
