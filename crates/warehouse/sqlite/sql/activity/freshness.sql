-- The newest published day, and how far back and how many there are.
SELECT
  activity_date AS "activity_date: chrono::NaiveDate", run_id,
  published_at AS "published_at: chrono::DateTime<chrono::Utc>", row_count,
  checksum_version AS "checksum_version: i32", checksum AS "checksum!",
  (SELECT MIN(activity_date) FROM published_days) AS "oldest!: chrono::NaiveDate",
  (SELECT COUNT(*) FROM published_days) AS "published_days!: i64"
FROM published_days
ORDER BY activity_date DESC
LIMIT 1
