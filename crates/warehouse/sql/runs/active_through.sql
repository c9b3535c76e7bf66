-- The oldest active run of pipeline $1 that ends on day $2.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND window_end = $2 AND state IN ('QUEUED', 'RUNNING')
  AND run_trigger <> 'UNPUBLISH'
ORDER BY run_id
LIMIT 1
