-- Versions of changed companies that begin on the export's day $1 say nothing
-- any more: what they said of later snapshots is split off already.
DELETE FROM crm_company_versions AS version
USING crm_changes AS changed
WHERE version.effective_from = $1 AND version.company_id = changed.company_id
