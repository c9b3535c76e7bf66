-- The newest run of pipeline $1 over exactly $2..$3 that succeeded.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND window_start = $2 AND window_end = $3 AND state = 'SUCCEEDED'
ORDER BY run_id DESC
LIMIT 1
