-- A new snapshot after $2, with a later one behind it: companies that ended
-- with $2 and that the new snapshot repeats now end with the new one, $1.
UPDATE crm_company_versions
SET effective_to = $1
WHERE effective_to = $2
  AND company_id IN (SELECT company_id FROM crm_incoming)
  AND company_id NOT IN (SELECT company_id FROM crm_changes)
