-- The newest publication among the days $1..$2.
SELECT
  activity_date AS "activity_date: chrono::NaiveDate", run_id,
  published_at AS "published_at: chrono::DateTime<chrono::Utc>", row_count,
  checksum_version AS "checksum_version: i32", checksum AS "checksum!"
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
ORDER BY published_at DESC, activity_date DESC
LIMIT 1
