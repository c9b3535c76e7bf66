-- Gives the lease on run $1 back, if it is held at epoch $2.
UPDATE pipeline_runs
SET lease_expires_ms = 0
WHERE run_id = $1 AND lease_epoch = $2 AND state = 'RUNNING'
