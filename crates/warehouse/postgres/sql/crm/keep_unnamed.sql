-- Companies of the snapshot before, $1, that the export does not name: one of its
-- unreadable rows may be theirs.
INSERT INTO crm_incoming (line, company_id, unreadable)
SELECT 0, company_id, 31
FROM crm_company_versions AS before
WHERE effective_from <= $1
  AND (effective_to IS NULL OR effective_to >= $1)
  AND NOT EXISTS (SELECT 1 FROM crm_incoming AS named WHERE named.company_id = before.company_id)
