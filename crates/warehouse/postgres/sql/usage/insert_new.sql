-- $1: the day, of which nothing is staged: nothing can be in the way.
INSERT INTO stg_product_usage (company_id, date, active_users, events)
SELECT company_id, $1, active_users, events FROM usage_incoming WHERE NOT is_unreadable
