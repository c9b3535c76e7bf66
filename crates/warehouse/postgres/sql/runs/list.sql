-- The newest runs first: of the states $1 unless that is empty, after run $2
-- unless that is NULL, at most $3.
SELECT run_id FROM pipeline_runs
WHERE (cardinality($1::TEXT[]) = 0 OR state = ANY ($1)) AND ($2::UUID IS NULL OR run_id < $2)
ORDER BY run_id DESC
LIMIT $3
