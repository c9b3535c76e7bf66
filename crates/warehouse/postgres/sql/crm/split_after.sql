-- Of changed companies whose version reaches beyond the export's day $1: the part from
-- the next snapshot $2 on becomes a version of its own. Found as in end_before.sql.
INSERT INTO crm_company_versions
SELECT (with_span(reaching.version, $2::DATE, reaching.effective_to)).*
FROM crm_changes AS changed
CROSS JOIN LATERAL (
  SELECT effective_to, version
  FROM crm_company_versions AS version
  WHERE company_id = changed.company_id
    AND effective_from <= $1
    AND (effective_to IS NULL OR effective_to > $1)
  OFFSET 0
) AS reaching
