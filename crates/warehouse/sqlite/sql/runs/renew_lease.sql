-- $1 run, $2 epoch, $3 lease milliseconds
UPDATE pipeline_runs
SET lease_expires_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $3
WHERE run_id = $1 AND lease_epoch = $2 AND state = 'RUNNING'
