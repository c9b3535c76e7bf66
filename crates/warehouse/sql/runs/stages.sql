SELECT
  stage, service, depends_on, state, attempt, failures,
  started_at AS "started_at: chrono::DateTime<chrono::Utc>",
  ended_at AS "ended_at: chrono::DateTime<chrono::Utc>",
  rows_read, rows_written, rows_unchanged, rows_duplicate, rows_rejected, rows_removed, bytes_read,
  remarks, error_code, error_message
FROM pipeline_run_stages
WHERE run_id = $1
ORDER BY position
