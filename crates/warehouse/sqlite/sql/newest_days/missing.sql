-- Those of the two newest published days that are not kept, and what the ledger says of them.
SELECT
  activity_date AS "day!: chrono::NaiveDate", row_count AS "rows!: i64", checksum AS "checksum?: i64",
  checksum_version AS "version!: i32"
FROM two_newest_days
WHERE activity_date NOT IN (SELECT activity_date FROM newest_days)
