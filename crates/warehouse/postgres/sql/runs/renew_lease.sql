-- $1 run, $2 epoch, $3 lease seconds
UPDATE pipeline_runs
SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE run_id = $1 AND lease_epoch = $2 AND state = 'RUNNING'
