-- $1: a JSON array of [line, company_id, active_users, events, is_unreadable].
INSERT INTO usage_incoming (line, company_id, active_users, events, is_unreadable)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM json_each($1)
