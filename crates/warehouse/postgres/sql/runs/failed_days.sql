-- The days of $2..$3 whose newest run of pipeline $1 failed or was cancelled.
SELECT day::DATE AS "day!"
FROM generate_series($2::DATE, $3::DATE, INTERVAL '1 day') AS window_days (day)
CROSS JOIN LATERAL (
  SELECT state FROM pipeline_runs
  WHERE pipeline = $1 AND window_end >= day::DATE AND window_start <= day::DATE AND run_trigger <> 'UNPUBLISH'
  ORDER BY run_id DESC
  LIMIT 1
) AS newest
WHERE newest.state IN ('FAILED', 'CANCELLED')
ORDER BY day
