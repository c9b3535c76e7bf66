-- What the ledger says of the published days that the build rebuilds.
SELECT
  ledger.activity_date AS "day: chrono::NaiveDate", ledger.row_count AS "rows: i64",
  COALESCE(ledger.checksum, 0) AS "checksum!: i64", ledger.checksum_version AS "version: i32"
FROM rebuild_days
JOIN fact_build_days AS day ON day.activity_date = rebuild_days.activity_date AND NOT day.is_new
JOIN published_days AS ledger ON ledger.activity_date = rebuild_days.activity_date
