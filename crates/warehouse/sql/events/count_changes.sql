SELECT
  COUNT(*) FILTER (WHERE change = 'WRITTEN') AS "written!: i64",
  COUNT(*) FILTER (WHERE change = 'OVERRULED') AS "overruled!: i64"
FROM event_changes
