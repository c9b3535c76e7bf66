-- Of changed companies: a version that ends with snapshot $1 takes over an equal one that
-- begins with the next snapshot, $2; the latter is deleted by its own statement. Found as
-- in end_before.sql.
WITH
equal AS MATERIALIZED (
  SELECT ending.address, beginning.effective_to
  FROM crm_changes AS changed
  CROSS JOIN LATERAL (
    SELECT ctid AS address, ended
    FROM crm_company_versions AS ended
    WHERE company_id = changed.company_id AND effective_to = $1
    OFFSET 0
  ) AS ending
  CROSS JOIN LATERAL (
    SELECT effective_to, begun
    FROM crm_company_versions AS begun
    WHERE company_id = changed.company_id AND effective_from = $2
    OFFSET 0
  ) AS beginning
  WHERE is_same_company(beginning.begun, ending.ended)
)
UPDATE crm_company_versions AS version
SET effective_to = equal.effective_to
FROM equal
WHERE version.ctid = equal.address
