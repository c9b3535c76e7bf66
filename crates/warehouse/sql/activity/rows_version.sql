-- Tells the published rows of the days $1..$2 from others. If $3, those of all days before as well.
SELECT
  COUNT(*) AS "days!: i64",
  -- Cut so that the sum of any number of days is a whole number in each engine.
  COALESCE(CAST(SUM(checksum & 2147483647) AS BIGINT), 0) AS "checksums!: i64"
FROM published_days
WHERE activity_date <= $2 AND ($3 OR activity_date >= $1)
