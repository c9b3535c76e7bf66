-- Whether the candidates are still those of run $1.
SELECT EXISTS (SELECT 1 FROM fact_build WHERE run_id = $1) AS "is_own!"
