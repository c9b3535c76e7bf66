-- The newest runs first: of the states in the JSON array $1 and of the causes in $2, unless that
-- is empty, over a day from $3 to $4, unless those are NULL, after run $5 unless that is NULL, at
-- most $6.
SELECT run_id FROM pipeline_runs
WHERE ($1 = '[]' OR state IN (SELECT value FROM json_each($1)))
  AND ($2 = '[]' OR run_trigger IN (SELECT value FROM json_each($2)))
  AND ($3 IS NULL OR (window_end >= $3 AND window_start <= $4))
  AND ($5 IS NULL OR run_id < $5)
ORDER BY run_id DESC
LIMIT $6
