-- ?1: a JSON array of [line, company_id, active_users, events].
INSERT INTO usage_incoming (line, company_id, active_users, events)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?1)
