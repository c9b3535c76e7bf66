-- What the chunk's candidates change, by day.
SELECT
  activity_date AS day,
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!"
FROM fact_candidates
WHERE change <> 'EQUAL'
GROUP BY activity_date
