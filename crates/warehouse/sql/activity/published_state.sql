-- The ledger's entries of the days $1..$2, and the run that changed one of these days last: the
-- log knows also of days that were taken back.
SELECT
  activity_date AS "activity_date: chrono::NaiveDate", CAST(run_id AS TEXT) AS "run_id!: String",
  published_at AS "published_at: chrono::DateTime<chrono::Utc>", row_count,
  checksum_version AS "checksum_version: i32", checksum AS "checksum!",
  (
    SELECT CAST(run_id AS TEXT)
    FROM (
      SELECT run_id, published_at FROM day_publications WHERE activity_date BETWEEN $1 AND $2
      UNION ALL
      -- Programs of the release before publish without a log.
      SELECT run_id, published_at FROM published_days WHERE activity_date BETWEEN $1 AND $2
    ) AS known
    ORDER BY published_at DESC
    LIMIT 1
  ) AS "left_by!: String"
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
ORDER BY activity_date
