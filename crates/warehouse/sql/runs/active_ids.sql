-- The runs of pipeline $1 that have not ended, in the order in which they execute, at most $2.
SELECT CAST(run_id AS TEXT) AS "id!: String"
FROM pipeline_runs
WHERE pipeline = $1 AND state IN ('QUEUED', 'RUNNING')
ORDER BY state = 'RUNNING' DESC, run_id
LIMIT $2
