-- A new first snapshot, $1: companies that it shares with the first one so far,
-- $2, now begin with it.
UPDATE crm_company_versions AS version
SET effective_from = $1
FROM crm_incoming AS incoming
WHERE version.effective_from = $2
  AND incoming.company_id = version.company_id
  AND NOT EXISTS (SELECT 1 FROM crm_changes AS changed WHERE changed.company_id = version.company_id)
