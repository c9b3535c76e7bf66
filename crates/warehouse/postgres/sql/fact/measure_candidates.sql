-- What the key and value audits look at. NOT NULL makes the first zero by
-- construction; it is measured all the same, because the gate must not rest on
-- what it guards.
WITH
-- Rows a key has.
keys AS (
  SELECT
    company_id, activity_date, COUNT(*) AS rows,
    COUNT(*) FILTER (WHERE active_users < 0 OR events < 0 OR "7d_active_users" < 0) AS negative
  FROM fact_candidates
  WHERE change <> 'GONE'
  GROUP BY company_id, activity_date
)
SELECT
  COALESCE(SUM(rows) FILTER (WHERE company_id IS NULL OR company_id = ''), 0)::BIGINT AS "null_company_ids!",
  COUNT(*) FILTER (WHERE rows > 1) AS "duplicate_keys!",
  COALESCE(SUM(negative), 0)::BIGINT AS "negative_counts!"
FROM keys
