-- The newest runs first: of the states in the JSON array $1 unless that is empty,
-- after run $2 unless that is NULL, at most $3.
SELECT run_id FROM pipeline_runs
WHERE ($1 = '[]' OR state IN (SELECT value FROM json_each($1))) AND ($2 IS NULL OR run_id < $2)
ORDER BY run_id DESC
LIMIT $3
