-- Every publish of the days $1..$2 on record, and each time that one was taken back.
SELECT
  activity_date AS day, published_at, run_id::TEXT AS "run_id!", row_count,
  -- Whether the run was asked to compute the day anew, whatever had changed.
  EXISTS (
    SELECT 1 FROM pipeline_runs AS run
    WHERE run.run_id = logged.run_id AND logged.activity_date = ANY (run.rebuild_days)
  ) AS "is_rebuilt!"
FROM day_publications AS logged
WHERE activity_date BETWEEN $1 AND $2
ORDER BY activity_date, published_at
