-- The run whose candidates there are, if it ended before $1. Its row stays locked,
-- so that nobody retries it meanwhile.
SELECT run.run_id
FROM fact_build
JOIN pipeline_runs AS run USING (run_id)
WHERE run.ended_at < $1
FOR NO KEY UPDATE OF run
