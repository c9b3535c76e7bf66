-- What find_changes found for day $1, with the values that arrived.
INSERT OR REPLACE INTO usage_differences (company_id, date, active_users, events)
SELECT usage_changes.company_id, $1, usage_incoming.active_users, usage_incoming.events
FROM usage_changes
LEFT JOIN usage_incoming ON usage_changes.is_present AND usage_incoming.company_id = usage_changes.company_id
