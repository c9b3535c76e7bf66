-- The run whose candidates there are, if it ended before $1.
SELECT run.run_id
FROM fact_build
JOIN pipeline_runs AS run USING (run_id)
WHERE run.ended_at < $1
