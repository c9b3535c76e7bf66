-- The log of the days $1..$2, by day, then time.
SELECT
  activity_date AS "activity_date: chrono::NaiveDate",
  published_at AS "published_at: chrono::DateTime<chrono::Utc>", run_id, row_count, checksum
FROM day_publications
WHERE activity_date BETWEEN $1 AND $2
ORDER BY activity_date, published_at
