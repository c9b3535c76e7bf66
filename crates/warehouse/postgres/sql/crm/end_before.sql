-- Versions of changed companies that began before the export's day $1 and covered it
-- end with the snapshot before, $2. Looked up company by company and found again by
-- their addresses, whatever the estimates: no plan scans the history for a few changes.
UPDATE crm_company_versions
SET effective_to = $2
WHERE ctid = ANY (ARRAY(
  SELECT covering.ctid
  FROM crm_changes AS changed
  CROSS JOIN LATERAL (
    SELECT ctid
    FROM crm_company_versions
    WHERE company_id = changed.company_id
      AND effective_from < $1
      AND (effective_to IS NULL OR effective_to >= $1)
    OFFSET 0
  ) AS covering
))
