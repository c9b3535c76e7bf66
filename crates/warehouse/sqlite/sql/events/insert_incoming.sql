-- $1: a JSON array of [line, company_id, date, event_id, events].
INSERT INTO event_incoming (line, company_id, date, event_id, events)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM json_each($1)
