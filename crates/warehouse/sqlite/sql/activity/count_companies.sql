-- How many companies of day $1 there are. $2..$5 as of companies_by_id.sql.
WITH
-- The words, read once.
words AS MATERIALIZED (
  SELECT value AS word FROM json_each($2)
)
SELECT COUNT(*) AS "companies!: i64"
FROM fact_rows_of_days
WHERE activity_date = $1
  AND NOT EXISTS (
    SELECT 1 FROM words WHERE instr(lower(company_id || char(10) || COALESCE(company_name, '')), word) = 0
  )
  AND ($3 IS NULL OR COALESCE(country, '') = $3)
  AND ($4 IS NULL OR COALESCE(industry_tag, '') = $4)
  AND (is_churn_risk OR NOT $5)
