-- The newest run of pipeline ?1 over exactly ?2..?3 that succeeded, unless days of
-- it have been forgotten since: as far as any day is published, they are then not.
SELECT run_id FROM pipeline_runs
WHERE pipeline = ?1 AND window_start = ?2 AND window_end = ?3 AND state = 'SUCCEEDED'
  AND (
    (SELECT COUNT(*) FROM published_days WHERE activity_date BETWEEN ?2 AND ?3)
      = CAST(julianday(?3) - julianday(?2) AS INTEGER) + 1
    OR NOT EXISTS (SELECT 1 FROM published_days)
  )
ORDER BY run_id DESC
LIMIT 1
