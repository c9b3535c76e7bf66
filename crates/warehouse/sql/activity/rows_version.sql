-- Tells the published rows of the days through $1 from others.
SELECT
  COUNT(*) AS "days!: i64",
  -- Cut so that the sum of any number of days is a whole number in each engine.
  COALESCE(CAST(SUM(checksum & 2147483647) AS BIGINT), 0) AS "checksums!: i64"
FROM published_days
WHERE activity_date <= $1
