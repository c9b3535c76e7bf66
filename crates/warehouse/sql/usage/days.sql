-- The days from $1 to $2 that were fetched before.
SELECT
  date AS "day: chrono::NaiveDate", records, run_id,
  fetched_at AS "fetched_at: chrono::DateTime<chrono::Utc>", landing_path, bytes,
  landing_etag, page_ends
FROM usage_days
WHERE date BETWEEN $1 AND $2
ORDER BY date
