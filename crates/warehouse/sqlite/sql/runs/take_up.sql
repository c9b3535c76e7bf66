-- $1 run, $2 holder, $3 lease milliseconds, $4 now
UPDATE pipeline_runs
SET
  state = 'RUNNING',
  lease_holder = $2,
  lease_epoch = lease_epoch + 1,
  lease_expires_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $3,
  started_at = COALESCE(started_at, $4)
WHERE run_id = $1
