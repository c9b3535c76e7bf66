-- Every publish of the days $1..$2 on record, and each time that one was taken back.
SELECT
  activity_date AS "day: chrono::NaiveDate",
  published_at AS "published_at: chrono::DateTime<chrono::Utc>",
  run_id,
  row_count,
  -- Whether the run was asked to compute the day anew, whatever had changed.
  EXISTS (
    SELECT 1
    FROM pipeline_runs AS run
    CROSS JOIN json_each(run.rebuild_days) AS rebuilt
    WHERE run.run_id = logged.run_id AND rebuilt.value = logged.activity_date
  ) AS "is_rebuilt!: bool"
FROM day_publications AS logged
WHERE activity_date BETWEEN $1 AND $2
ORDER BY activity_date, published_at
