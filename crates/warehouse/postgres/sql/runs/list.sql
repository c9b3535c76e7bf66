-- The newest runs first: of the states $1 and of the causes $2, unless that is empty, over a day
-- from $3 to $4, unless those are NULL, after run $5 unless that is NULL, at most $6.
SELECT run_id FROM pipeline_runs
WHERE (cardinality($1::TEXT[]) = 0 OR state = ANY ($1))
  AND (cardinality($2::TEXT[]) = 0 OR run_trigger = ANY ($2))
  AND ($3::DATE IS NULL OR (window_end >= $3 AND window_start <= $4::DATE))
  AND ($5::UUID IS NULL OR run_id < $5)
ORDER BY run_id DESC
LIMIT $6
