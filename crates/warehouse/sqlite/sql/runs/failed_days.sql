-- The days of $2..$3 whose newest run of pipeline $1 failed or was cancelled.
WITH RECURSIVE
window_days (day) AS (
  SELECT date($2)
  UNION ALL
  SELECT date(day, '+1 day') FROM window_days WHERE day < $3
)
SELECT day AS "day!: chrono::NaiveDate"
FROM window_days
WHERE (
  SELECT state FROM pipeline_runs
  WHERE pipeline = $1 AND window_end >= day AND window_start <= day AND run_trigger <> 'UNPUBLISH'
  ORDER BY run_id DESC
  LIMIT 1
) IN ('FAILED', 'CANCELLED')
ORDER BY day
