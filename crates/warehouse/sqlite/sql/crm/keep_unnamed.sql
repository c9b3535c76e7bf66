-- Companies of the snapshot before, $1, that the export does not name: one of its
-- unreadable rows may be theirs.
INSERT INTO crm_incoming (company_id, unreadable)
SELECT company_id, 31
FROM crm_company_versions
WHERE effective_from <= $1
  AND (effective_to IS NULL OR effective_to >= $1)
  AND company_id NOT IN (SELECT company_id FROM crm_incoming)
