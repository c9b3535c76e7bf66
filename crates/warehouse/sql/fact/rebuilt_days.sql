-- The days of the build that are rebuilt, and what the ledger says of those that are published.
SELECT
  activity_date AS "day: chrono::NaiveDate", is_new AS "is_new: bool", ledger.row_count AS "rows?: i64",
  ledger.checksum AS "checksum?: i64", ledger.checksum_version AS "version?: i32"
FROM fact_build_days
LEFT JOIN published_days AS ledger USING (activity_date)
WHERE is_rebuilt
ORDER BY activity_date
