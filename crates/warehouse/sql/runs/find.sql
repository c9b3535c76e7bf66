SELECT
  pipeline, window_start AS "window_start: chrono::NaiveDate", window_end AS "window_end: chrono::NaiveDate",
  run_trigger, state, lease_epoch, created_at AS "created_at: chrono::DateTime<chrono::Utc>",
  started_at AS "started_at: chrono::DateTime<chrono::Utc>",
  ended_at AS "ended_at: chrono::DateTime<chrono::Utc>", traceparent, accept_empty_days, requested_by,
  rebuild_days
FROM pipeline_runs
WHERE run_id = $1
