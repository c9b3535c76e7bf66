-- What the key and value audits look at. NOT NULL makes the first zero by
-- construction; it is measured all the same, because the gate must not rest on
-- what it guards.
WITH
-- A company's days, 63 of them at a time: how many rows it has, and one bit for
-- each day that it has. More rows than bits are duplicates. A group per key would
-- say the same with a hash table as large as the candidates.
days AS (
  SELECT
    company_id,
    COUNT(*) AS rows,
    BIT_OR(1::BIGINT << MOD(activity_date - DATE '0001-01-01', 63)) AS day_bits,
    COUNT(*) FILTER (WHERE active_users < 0 OR events < 0 OR "7d_active_users" < 0) AS negative
  FROM fact_candidates
  WHERE change <> 'GONE'
  GROUP BY company_id, (activity_date - DATE '0001-01-01') / 63
)
SELECT
  COALESCE(SUM(rows) FILTER (WHERE company_id IS NULL OR company_id = ''), 0)::BIGINT AS "null_company_ids!",
  COALESCE(SUM(rows - BIT_COUNT(day_bits::BIT(64))), 0)::BIGINT AS "duplicate_keys!",
  COALESCE(SUM(negative), 0)::BIGINT AS "negative_counts!"
FROM days
