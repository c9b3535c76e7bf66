-- $1: the day.
INSERT INTO stg_product_usage (company_id, date, active_users, events)
SELECT company_id, $1, active_users, events
FROM usage_incoming
JOIN usage_changes USING (company_id)
WHERE is_present
ON CONFLICT (company_id, date)
DO UPDATE SET active_users = excluded.active_users, events = excluded.events
