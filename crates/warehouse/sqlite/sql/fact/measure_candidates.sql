-- What the key and value audits look at. The primary key and NOT NULL make the
-- first two zero by construction; they are measured all the same, because the
-- gate must not rest on what it guards.
SELECT
  COUNT(*) FILTER (WHERE company_id IS NULL OR company_id = '') AS "null_company_ids!: i64",
  COUNT(*) - COUNT(DISTINCT company_id || char(0) || activity_date) AS "duplicate_keys!: i64",
  COUNT(*) FILTER (WHERE active_users < 0 OR events < 0 OR "7d_active_users" < 0) AS "negative_counts!: i64"
FROM fact_candidates
WHERE change <> 'GONE'
