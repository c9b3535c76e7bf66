SELECT
  pipeline, window_start, window_end, run_trigger, state, lease_epoch, created_at, started_at, ended_at,
  traceparent
FROM pipeline_runs
WHERE run_id = $1
