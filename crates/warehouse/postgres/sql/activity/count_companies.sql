-- How many companies of day $1 there are. $2..$5 as of companies_by_id.sql.
SELECT COUNT(*) AS "companies!"
FROM fact_company_activity
WHERE activity_date = $1
  -- Rows of a month that is published later are there, but not in the ledger of this state.
  AND EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1)
  AND (CARDINALITY($2::TEXT[]) = 0 OR lower((company_id || E'\n' || COALESCE(company_name, '')) COLLATE "C") LIKE ALL ($2))
  AND ($3::TEXT IS NULL OR COALESCE(country, '') = $3)
  AND ($4::TEXT IS NULL OR COALESCE(industry_tag, '') = $4)
  AND (is_churn_risk OR NOT $5)
