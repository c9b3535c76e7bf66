-- The newest fetch of day $1.
SELECT
  CAST(run_id AS TEXT) AS "run_id!: String",
  fetched_at AS "fetched_at: chrono::DateTime<chrono::Utc>",
  landing_path, bytes, page_ends, records,
  (SELECT COUNT(*) FROM quarantine WHERE origin = landing_path) AS "quarantined!: i64"
FROM usage_days
WHERE date = $1
