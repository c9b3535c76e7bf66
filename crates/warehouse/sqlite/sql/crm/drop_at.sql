-- Versions of changed companies that begin on the export's day $1 say nothing
-- any more: what they said of later snapshots is split off already.
DELETE FROM crm_company_versions
WHERE effective_from = $1 AND company_id IN (SELECT company_id FROM crm_changes)
