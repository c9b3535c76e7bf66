-- $1 run, $2 stage, $3 now, $4 the state it goes to, $5 code, $6 message,
-- $7 how much it counts among the failures
UPDATE pipeline_run_stages
SET state = $4, ended_at = $3, failures = failures + $7, error_code = $5, error_message = $6
WHERE run_id = $1 AND stage = $2
