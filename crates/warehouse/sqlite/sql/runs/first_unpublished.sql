-- The first day after the oldest published one from $1 on that is not published;
-- NULL if none is published from there on.
SELECT MIN(date(day.activity_date, '+1 day')) AS "day: chrono::NaiveDate"
FROM published_days AS day
WHERE day.activity_date >= $1
  AND NOT EXISTS (
    SELECT 1 FROM published_days AS next WHERE next.activity_date = date(day.activity_date, '+1 day')
  )
