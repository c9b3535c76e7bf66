SELECT
  COUNT(*) FILTER (WHERE change = 'WRITTEN') AS "written!",
  COUNT(*) FILTER (WHERE change = 'OVERRULED') AS "overruled!"
FROM event_changes
