-- What find_changes found for day $1, with the values that arrived.
INSERT INTO usage_differences (company_id, date, active_users, events)
SELECT changed.company_id, $1, incoming.active_users, incoming.events
FROM usage_changes AS changed
LEFT JOIN usage_incoming AS incoming ON changed.is_present AND incoming.company_id = changed.company_id
ON CONFLICT (company_id, date)
DO UPDATE SET active_users = excluded.active_users, events = excluded.events
