-- When the newest publish was, also if a program made it that does not note so.
SELECT MAX(published.at) AS "newest: chrono::DateTime<chrono::Utc>"
FROM (
  SELECT newest_publish AS at FROM warehouse_versions
  UNION ALL
  SELECT published_at FROM published_days
) AS published
