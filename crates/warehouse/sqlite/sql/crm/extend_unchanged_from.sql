-- A new first snapshot, $1: companies that it shares with the first one so far,
-- $2, now begin with it.
UPDATE crm_company_versions
SET effective_from = $1
WHERE effective_from = $2
  AND company_id IN (SELECT company_id FROM crm_incoming)
  AND company_id NOT IN (SELECT company_id FROM crm_changes)
