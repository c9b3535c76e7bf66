-- A new snapshot after $2, with a later one behind it: companies that ended
-- with $2 and that the new snapshot repeats now end with the new one, $1.
UPDATE crm_company_versions AS version
SET effective_to = $1
FROM crm_incoming AS incoming
WHERE version.effective_to = $2
  AND incoming.company_id = version.company_id
  AND NOT EXISTS (SELECT 1 FROM crm_changes AS changed WHERE changed.company_id = version.company_id)
