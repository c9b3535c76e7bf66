-- A day that was published before there were checksums.
SELECT activity_date AS "day: chrono::NaiveDate"
FROM published_days
WHERE checksum IS NULL
LIMIT 1
