-- Versions of changed companies that begin on the export's day $1 say nothing any more:
-- what they said of later snapshots is split off already. Found as in end_before.sql.
DELETE FROM crm_company_versions
WHERE ctid = ANY (ARRAY(
  SELECT beginning.ctid
  FROM crm_changes AS changed
  CROSS JOIN LATERAL (
    SELECT ctid
    FROM crm_company_versions
    WHERE company_id = changed.company_id AND effective_from = $1
    OFFSET 0
  ) AS beginning
))
