-- Locks run $1 if it is held at epoch $2: it is not taken up or ended before
-- this transaction is over.
SELECT run_id FROM pipeline_runs
WHERE run_id = $1 AND state = 'RUNNING' AND lease_epoch = $2
FOR SHARE
