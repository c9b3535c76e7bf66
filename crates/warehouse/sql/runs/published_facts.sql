-- What the choice of a window up to $2 rests on, for pipeline $1.
SELECT
  (SELECT MAX(activity_date) FROM published_days WHERE activity_date <= $2) AS "newest: chrono::NaiveDate",
  (
    SELECT MIN(window_start) FROM pipeline_runs
    WHERE pipeline = $1 AND run_trigger = 'BACKFILL' AND state = 'SUCCEEDED'
  ) AS "oldest_backfilled: chrono::NaiveDate"
