-- The run of pipeline $1 over exactly $2..$3: the active one, else, unless $4,
-- the newest that succeeded. Newer ones that failed hide neither.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND window_start = $2 AND window_end = $3
  AND (state IN ('QUEUED', 'RUNNING') OR (state = 'SUCCEEDED' AND NOT $4::BOOLEAN))
ORDER BY state = 'SUCCEEDED', run_id DESC
LIMIT 1
