-- Of changed companies whose version reaches beyond the export's day $1: the
-- part from the next snapshot $2 on becomes a version of its own.
INSERT INTO crm_company_versions (
  company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at
)
SELECT company_id, $2::DATE, effective_to, name, country, industry_tag, last_contact_at
FROM crm_company_versions
JOIN crm_changes USING (company_id)
WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to > $1)
