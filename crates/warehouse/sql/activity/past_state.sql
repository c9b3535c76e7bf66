-- What the ledger said of the days $1..$2 at $3, and the run that had changed one of them last.
SELECT
  activity_date AS "activity_date: chrono::NaiveDate", CAST(run_id AS TEXT) AS "run_id!: String",
  published_at AS "published_at: chrono::DateTime<chrono::Utc>", row_count AS "row_count!",
  checksum_version AS "checksum_version: i32", checksum AS "checksum!",
  (
    SELECT CAST(run_id AS TEXT)
    FROM day_publications
    WHERE activity_date BETWEEN $1 AND $2 AND published_at <= $3
    ORDER BY published_at DESC
    LIMIT 1
  ) AS "left_by!: String"
FROM day_publications AS entry
WHERE activity_date BETWEEN $1 AND $2
  AND row_count IS NOT NULL
  AND published_at = (
    SELECT MAX(published_at)
    FROM day_publications AS earlier
    WHERE earlier.activity_date = entry.activity_date AND earlier.published_at <= $3
  )
ORDER BY activity_date
