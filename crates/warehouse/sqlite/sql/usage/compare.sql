-- What arrived for day $1 beside what is known of it, and of the days before it from $2 on.
SELECT
  (SELECT COUNT(*) FROM usage_incoming WHERE NOT is_unreadable) AS "arrived!: i64",
  (SELECT records FROM usage_days WHERE date = $1) AS "known: i64",
  (SELECT COUNT(*) FROM usage_changes WHERE NOT is_present) AS "lost!: i64",
  COUNT(*) AS "days_before!: i64",
  COUNT(*) FILTER (WHERE records > 0) AS "days_before_with_records!: i64"
FROM usage_days
WHERE date >= $2 AND date < $1
