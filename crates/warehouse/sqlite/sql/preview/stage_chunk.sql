-- The usage that building the companies in chunk_companies reads, as it would be staged:
-- days $1..$2, with the differences in place of what they replace.
WITH RECURSIVE
read_days (day) AS (
  SELECT $1
  UNION ALL
  SELECT date(day, '+1 day') FROM read_days WHERE day < $2
),
-- Each with its number, which is computed once for all companies.
numbered AS MATERIALIZED (
  SELECT day, CAST(julianday(day) + 0.5 AS INTEGER) AS number FROM read_days
)
INSERT INTO chunk_usage (slot, active_users, events)
-- CROSS: looked up by day and company, never searched for.
SELECT company.number * 10000000 + numbered.number, staged.active_users, staged.events
FROM numbered
CROSS JOIN chunk_companies AS company
CROSS JOIN stg_product_usage AS staged
  ON staged.date = numbered.day AND staged.company_id = company.company_id
WHERE NOT EXISTS (
  SELECT 1 FROM usage_differences AS difference
  WHERE difference.company_id = staged.company_id AND difference.date = staged.date
)
UNION ALL
SELECT
  company.number * 10000000 + CAST(julianday(difference.date) + 0.5 AS INTEGER),
  difference.active_users, difference.events
FROM chunk_companies AS company
CROSS JOIN usage_differences AS difference
  ON difference.company_id = company.company_id AND difference.date BETWEEN $1 AND $2
WHERE difference.active_users IS NOT NULL
