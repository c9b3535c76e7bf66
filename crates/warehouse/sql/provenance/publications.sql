-- Every publish of the days $1..$2 on record, and each time that one was taken back.
SELECT
  activity_date AS "day: chrono::NaiveDate",
  published_at AS "published_at: chrono::DateTime<chrono::Utc>",
  CAST(run_id AS TEXT) AS "run_id!: String",
  row_count
FROM day_publications
WHERE activity_date BETWEEN $1 AND $2
ORDER BY activity_date, published_at
