-- The usage that building the companies after $1 up to $2 reads, which are in chunk_companies.
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
),
-- Each with the number of its day, which is computed once for all companies.
numbered AS MATERIALIZED (
  SELECT day, CAST(julianday(day) + 0.5 AS INTEGER) AS number
  FROM (SELECT day FROM calendar UNION SELECT day FROM dirty)
)
-- IGNORE: a new day and a dirty one may read the same record.
INSERT OR IGNORE INTO chunk_usage (slot, active_users, events)
-- CROSS: looked up by day and company, never searched for.
SELECT company.number * 10000000 + numbered.number, usage.active_users, usage.events
FROM calendar
CROSS JOIN numbered USING (day)
CROSS JOIN stg_product_usage AS usage
  ON usage.date = calendar.day AND usage.company_id > $1 AND usage.company_id <= $2
CROSS JOIN chunk_companies AS company ON company.company_id = usage.company_id
UNION ALL
SELECT company.number * 10000000 + numbered.number, usage.active_users, usage.events
FROM dirty
CROSS JOIN numbered USING (day)
CROSS JOIN stg_product_usage AS usage ON usage.date = dirty.day AND usage.company_id = dirty.company_id
CROSS JOIN chunk_companies AS company ON company.company_id = usage.company_id
ORDER BY 1
