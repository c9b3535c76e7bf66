-- What arrived for day $1 and is gone from it, and what is known of the days before it
-- from $2 on.
SELECT
  (SELECT COUNT(*) FROM usage_incoming WHERE NOT is_unreadable) AS "arrived!",
  (SELECT COUNT(*) FROM usage_changes WHERE NOT is_present) AS "lost!",
  COUNT(*) AS "days_before!",
  COUNT(*) FILTER (WHERE records > 0) AS "days_before_with_records!"
FROM usage_days
WHERE date >= $2 AND date < $1
