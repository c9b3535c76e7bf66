-- A new snapshot after $2, with a later one behind it: companies that ended with $2 and
-- are as they were there now end with the new one, $1. NOT IN, which hashes the changes:
-- an estimate of few versions would make a join compare each of them with every change.
UPDATE crm_company_versions
SET effective_to = $1
WHERE effective_to = $2
  AND company_id NOT IN (SELECT company_id FROM crm_changes)
