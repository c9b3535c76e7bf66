-- The usage that building the companies after $1 up to $2 reads, as it would be
-- staged: days $3..$4, with the differences in place of what they replace.
WITH RECURSIVE
read_days (day) AS (
  SELECT $3
  UNION ALL
  SELECT date(day, '+1 day') FROM read_days WHERE day < $4
),
chunk AS (
  SELECT company_id FROM known_companies
  WHERE company_id > $1 AND company_id <= $2 AND EXISTS (SELECT 1 FROM fact_build_days WHERE is_new)
  UNION
  SELECT company_id FROM dirty_company_days WHERE company_id > $1 AND company_id <= $2
)
INSERT INTO chunk_usage (company_id, date, active_users, events)
-- CROSS: looked up by day and company, never searched for.
SELECT staged.company_id, staged.date, staged.active_users, staged.events
FROM read_days
CROSS JOIN chunk
CROSS JOIN stg_product_usage AS staged
  ON staged.date = read_days.day AND staged.company_id = chunk.company_id
WHERE NOT EXISTS (
  SELECT 1 FROM usage_differences AS difference
  WHERE difference.company_id = staged.company_id AND difference.date = staged.date
)
UNION ALL
SELECT difference.company_id, difference.date, difference.active_users, difference.events
FROM chunk
CROSS JOIN usage_differences AS difference
  ON difference.company_id = chunk.company_id AND difference.date BETWEEN $3 AND $4
WHERE difference.active_users IS NOT NULL
