-- The file of snapshot $1 does not name these companies of the snapshot before, $2,
-- and one of its unreadable rows may be theirs.
INSERT INTO crm_unreadable (effective_on, company_id, fields)
SELECT $1, company_id, 31
FROM crm_company_versions AS before
WHERE effective_from <= $2
  AND (effective_to IS NULL OR effective_to >= $2)
  AND NOT EXISTS (
    SELECT 1 FROM crm_company_versions AS named
    WHERE named.company_id = before.company_id
      AND named.effective_from <= $1
      AND (named.effective_to IS NULL OR named.effective_to >= $1)
  )
  AND NOT EXISTS (
    SELECT 1 FROM crm_unreadable AS marked
    WHERE marked.company_id = before.company_id AND marked.effective_on = $1
  )
