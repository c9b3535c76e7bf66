-- What the chunk's candidates change, by day.
SELECT
  activity_date AS "day: chrono::NaiveDate",
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!: i64",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!: i64",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!: i64"
FROM fact_candidates
WHERE change <> 'EQUAL'
GROUP BY activity_date
