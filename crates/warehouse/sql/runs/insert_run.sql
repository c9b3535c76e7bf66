INSERT INTO pipeline_runs (
  run_id, pipeline, window_start, window_end, run_trigger, state, created_at, traceparent, accept_empty_days,
  requested_by, rebuild_days
)
VALUES ($1, $2, $3, $4, $5, 'QUEUED', $6, $7, $8, $9, $10)
