-- The first day after the oldest published one that is not published; NULL if
-- nothing is published.
SELECT MIN(day.activity_date + 1) AS day
FROM published_days AS day
WHERE NOT EXISTS (
  SELECT 1 FROM published_days AS next WHERE next.activity_date = day.activity_date + 1
)
