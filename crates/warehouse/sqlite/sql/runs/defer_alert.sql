-- $1 alert, $2 delay in milliseconds, $3 what went wrong
UPDATE alert_outbox
SET due_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $2, last_problem = $3
WHERE alert_key = $1
