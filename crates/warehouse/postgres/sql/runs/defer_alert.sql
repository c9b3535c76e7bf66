-- $1 alert, $2 delay in seconds, $3 what went wrong
UPDATE alert_outbox
SET due_at = clock_timestamp() + make_interval(secs => $2), last_problem = $3
WHERE alert_key = $1
