UPDATE pipeline_run_stages
SET
  state = 'SUCCEEDED', ended_at = $3,
  rows_read = $4, rows_written = $5, rows_unchanged = $6, rows_duplicate = $7, rows_rejected = $8,
  rows_removed = $9, bytes_read = $10, remarks = $11,
  error_code = NULL, error_message = NULL
WHERE run_id = $1 AND stage = $2
