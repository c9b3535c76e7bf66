-- Of changed companies whose version reaches beyond the export's day $1: the
-- part from the next snapshot $2 on becomes a version of its own.
INSERT INTO crm_company_versions
SELECT (with_span(version, $2::DATE, effective_to)).*
FROM crm_company_versions AS version
JOIN crm_changes USING (company_id)
WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to > $1)
