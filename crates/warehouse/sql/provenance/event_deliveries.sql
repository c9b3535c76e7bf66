-- The last $2 event files, by path, that hold events of day $1.
SELECT
  source_path AS "path!", CAST(run_id AS TEXT) AS "run_id: String",
  loaded_at AS "loaded_at?: chrono::DateTime<chrono::Utc>"
FROM (
  -- By way of the sums, which have an index by day.
  SELECT DISTINCT event.source_path
  FROM agg_company_daily_events AS summed
  JOIN fact_events AS event ON event.company_id = summed.company_id AND event.date = summed.date
  WHERE summed.date = $1 AND event.date = $1
) AS held
LEFT JOIN event_files ON path = source_path
ORDER BY source_path DESC
LIMIT $2
