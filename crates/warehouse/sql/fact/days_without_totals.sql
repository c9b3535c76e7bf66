-- The published days whose rows nobody has summed up.
SELECT
  activity_date AS "day: chrono::NaiveDate", row_count AS rows, checksum AS "checksum!",
  checksum_version AS "version: i32"
FROM published_days AS ledger
WHERE NOT EXISTS (SELECT 1 FROM known_day_totals AS totals WHERE totals.activity_date = ledger.activity_date)
ORDER BY activity_date
