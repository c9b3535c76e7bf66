-- The usage that building the companies after $1 up to $2 reads.
WITH RECURSIVE
-- How far back computing a day reads: 14 days with the day itself.
back (days) AS (
  SELECT 0
  UNION ALL
  SELECT days + 1 FROM back WHERE days < 13
),
-- The days that new days read, of every company.
calendar AS MATERIALIZED (
  SELECT DISTINCT date(activity_date, '-' || days || ' days') AS day
  FROM fact_build_days
  CROSS JOIN back
  WHERE is_new
),
-- The days that dirty company-days read.
dirty AS MATERIALIZED (
  SELECT DISTINCT company_id, date(activity_date, '-' || days || ' days') AS day
  FROM dirty_company_days
  JOIN fact_build_days ON NOT is_new AND activity_date BETWEEN first_day AND last_day
  CROSS JOIN back
  WHERE company_id > $1 AND company_id <= $2
)
INSERT INTO chunk_usage (company_id, date, active_users, events)
-- CROSS: looked up by day and company, never searched for.
SELECT usage.company_id, usage.date, usage.active_users, usage.events
FROM calendar
CROSS JOIN stg_product_usage AS usage
  ON usage.date = calendar.day AND usage.company_id > $1 AND usage.company_id <= $2
UNION
SELECT usage.company_id, usage.date, usage.active_users, usage.events
FROM dirty
CROSS JOIN stg_product_usage AS usage ON usage.date = dirty.day AND usage.company_id = dirty.company_id
ORDER BY 1, 2
