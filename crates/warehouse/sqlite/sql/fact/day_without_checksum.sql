-- A day that was published before there were checksums.
SELECT activity_date AS "day: chrono::NaiveDate", checksum_version AS "version: i32"
FROM published_days
WHERE checksum IS NULL
LIMIT 1
