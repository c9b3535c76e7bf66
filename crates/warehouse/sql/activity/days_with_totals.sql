-- The ledger's entries of the days $1..$2, with the totals of their rows where they are known.
SELECT
  ledger.activity_date AS "activity_date: chrono::NaiveDate", CAST(ledger.run_id AS TEXT) AS "run_id!: String",
  ledger.published_at AS "published_at: chrono::DateTime<chrono::Utc>", ledger.row_count,
  ledger.checksum_version AS "checksum_version: i32", ledger.checksum AS "checksum!",
  totals.active_users AS "active_users?: i64", totals.events AS "events?: i64",
  totals.churn_risks AS "churn_risks?: i64", totals.active_companies AS "active_companies?: i64"
FROM published_days AS ledger
LEFT JOIN known_day_totals AS totals ON totals.activity_date = ledger.activity_date
WHERE ledger.activity_date BETWEEN $1 AND $2
ORDER BY ledger.activity_date
