-- The newest executions of stage $4 that succeeded in runs of pipeline $2 before
-- run $1 that cover as many days: from their first day $3 days to their last one.
SELECT
  earlier.window_end AS "day: chrono::NaiveDate",
  execution.started_at AS "started_at!: chrono::DateTime<chrono::Utc>",
  execution.ended_at AS "ended_at!: chrono::DateTime<chrono::Utc>",
  execution.rows_read
FROM pipeline_runs AS earlier
JOIN pipeline_run_stages AS execution ON execution.run_id = earlier.run_id
WHERE earlier.run_id < $1
  AND earlier.pipeline = $2
  AND CAST(julianday(earlier.window_end) - julianday(earlier.window_start) AS INTEGER) = $3
  AND execution.stage = $4
  AND execution.state = 'SUCCEEDED'
ORDER BY earlier.run_id DESC
LIMIT $5
