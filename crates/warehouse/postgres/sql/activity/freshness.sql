-- The newest published day, and how far back and how many there are.
SELECT
  activity_date, run_id::TEXT AS "run_id!", published_at, row_count, checksum_version, checksum,
  (SELECT MIN(activity_date) FROM published_days) AS "oldest!",
  (SELECT COUNT(*) FROM published_days) AS "published_days!"
FROM published_days
ORDER BY activity_date DESC
LIMIT 1
