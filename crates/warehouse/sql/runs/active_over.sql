-- The run of pipeline $1 over exactly $2..$3 that is queued or running: one that
-- takes days back if $4, else one that publishes them.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND window_start = $2 AND window_end = $3 AND state IN ('QUEUED', 'RUNNING')
  AND (run_trigger = 'UNPUBLISH') = $4
ORDER BY run_id DESC
LIMIT 1
