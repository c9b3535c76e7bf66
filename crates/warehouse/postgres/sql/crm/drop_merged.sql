-- Versions of changed companies that begin on $1 although an earlier version now covers
-- that day: what a merge left behind. Found as in end_before.sql.
DELETE FROM crm_company_versions
WHERE ctid = ANY (ARRAY(
  SELECT merged.ctid
  FROM crm_changes AS changed
  CROSS JOIN LATERAL (
    SELECT ctid
    FROM crm_company_versions
    WHERE company_id = changed.company_id
      AND effective_from = $1
      AND EXISTS (
        SELECT 1 FROM crm_company_versions AS earlier
        WHERE earlier.company_id = changed.company_id
          AND earlier.effective_from < $1
          AND (earlier.effective_to IS NULL OR earlier.effective_to >= $1)
      )
    OFFSET 0
  ) AS merged
))
