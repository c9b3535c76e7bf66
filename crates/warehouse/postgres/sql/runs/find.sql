SELECT
  pipeline, window_start, window_end, run_trigger, state, lease_epoch, created_at, started_at, ended_at,
  traceparent, accept_empty_days
FROM pipeline_runs
WHERE run_id = $1
