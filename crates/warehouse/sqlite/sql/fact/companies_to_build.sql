-- How many companies a build has to look at, for its progress.
SELECT COUNT(*) AS "count!: i64"
FROM (
  SELECT company_id FROM known_companies WHERE EXISTS (SELECT 1 FROM fact_build_days WHERE is_new)
  UNION
  SELECT company_id FROM dirty_company_days
)
