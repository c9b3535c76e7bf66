-- The companies of day $1 by company, after $6, at most $7. $2 words, a JSON array, all of which the
-- identifier or the name holds, in lower case of ASCII; no word reaches across the line's end.
-- $3 country, $4 industry, empty for those without, NULL for all; $5 only those at risk.
WITH
-- The words, read once.
words AS MATERIALIZED (
  SELECT value AS word FROM json_each($2)
)
SELECT
  company_id AS "company_id!: String", activity_date AS "activity_date!: chrono::NaiveDate",
  company_name AS "company_name?: String", country AS "country?: String", industry_tag AS "industry_tag?: String",
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user AS "events_per_user?: f64", days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>"
FROM fact_rows_of_days
WHERE activity_date = $1
  AND NOT EXISTS (
    SELECT 1 FROM words WHERE instr(lower(company_id || char(10) || COALESCE(company_name, '')), word) = 0
  )
  AND ($3 IS NULL OR COALESCE(country, '') = $3)
  AND ($4 IS NULL OR COALESCE(industry_tag, '') = $4)
  AND (is_churn_risk OR NOT $5)
  AND company_id > $6
ORDER BY company_id
LIMIT $7
