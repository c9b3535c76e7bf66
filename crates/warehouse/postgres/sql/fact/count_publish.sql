-- What publishing the candidates is going to do.
SELECT
  COUNT(*) FILTER (WHERE change <> 'GONE') AS "candidates!",
  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!",
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!",
  (SELECT COUNT(*) FROM fact_build_days WHERE is_new) AS "new_days!"
FROM fact_candidates
