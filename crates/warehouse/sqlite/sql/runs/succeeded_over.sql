-- The newest run of pipeline $1 over exactly $2..$3 that succeeded, unless days of
-- it have been forgotten or taken back since: as far as any day is published, they are then not.
SELECT run_id FROM pipeline_runs
WHERE pipeline = $1 AND window_start = $2 AND window_end = $3 AND state = 'SUCCEEDED'
  AND run_trigger <> 'UNPUBLISH'
  AND (
    (SELECT COUNT(*) FROM published_days WHERE activity_date BETWEEN $2 AND $3)
      = CAST(julianday($3) - julianday($2) AS INTEGER) + 1
    OR NOT EXISTS (SELECT 1 FROM published_days)
    -- Nothing is published because it was taken back: that is no reason to be content.
    AND NOT EXISTS (
      SELECT 1 FROM pipeline_runs AS later
      WHERE later.run_trigger = 'UNPUBLISH' AND later.state = 'SUCCEEDED'
        AND later.run_id > pipeline_runs.run_id
        AND later.window_start <= $3 AND later.window_end >= $2
    )
  )
ORDER BY run_id DESC
LIMIT 1
