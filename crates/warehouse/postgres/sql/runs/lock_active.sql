-- Waits for whoever is changing one of the pipeline's active runs. Skipping a
-- locked run instead would take a lease that is just being renewed for expired,
-- and take up a second run beside it.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND state IN ('QUEUED', 'RUNNING')
ORDER BY run_id
FOR NO KEY UPDATE
