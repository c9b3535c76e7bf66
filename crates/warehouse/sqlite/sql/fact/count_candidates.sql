-- How many rows the candidates are, how many of them are published already as they
-- are, how many published rows they replace or take away, and how many days are new.
SELECT
  COUNT(*) FILTER (WHERE change <> 'GONE') AS "candidates!: i64",
  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!: i64",
  COUNT(*) FILTER (WHERE change IN ('CHANGED', 'GONE')) AS "leaving!: i64",
  (SELECT COUNT(*) FROM fact_build_days WHERE is_new) AS "new_days!: i64"
FROM fact_candidates
