-- The companies of day $1 by a value of theirs, at most $7. $2..$5 as of companies_by_id.sql. $8 the
-- value, $9 whether the greatest comes first. After company $6, empty for from the first, of which
-- $10 is whether it has no value, and $11 and $12 are its keys.
WITH
-- The words, read once.
words AS MATERIALIZED (
  SELECT value AS word FROM json_each($2)
),
found AS (
  SELECT
    fact_rows_of_days.*,
    CASE $8 WHEN 'COMPANY_ID' THEN company_id WHEN 'NAME' THEN company_name END AS text_value,
    CASE $8
      WHEN 'EVENTS' THEN events
      WHEN 'ACTIVE_USERS_7D' THEN active_users_7d
      WHEN 'DAYS_SINCE_LAST_CONTACT' THEN days_since_last_contact
    END AS number_value
  FROM fact_rows_of_days
  WHERE activity_date = $1
    AND NOT EXISTS (
      SELECT 1 FROM words WHERE instr(lower(company_id || char(10) || COALESCE(company_name, '')), word) = 0
    )
    AND ($3 IS NULL OR COALESCE(country, '') = $3)
    AND ($4 IS NULL OR COALESCE(industry_tag, '') = $4)
    AND (is_churn_risk OR NOT $5)
),
-- No value is last in both directions; numbers are turned round, texts cannot be.
keyed AS (
  SELECT
    found.*,
    text_value IS NULL AND number_value IS NULL AS is_missing,
    COALESCE(text_value, '') AS text_key,
    COALESCE(IIF($9, -number_value, number_value), 0) AS number_key
  FROM found
)
SELECT
  company_id AS "company_id!: String", activity_date AS "activity_date!: chrono::NaiveDate",
  company_name AS "company_name?: String", country AS "country?: String", industry_tag AS "industry_tag?: String",
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user AS "events_per_user?: f64", days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>"
FROM keyed
WHERE $6 = ''
  OR is_missing > $10
  OR (
    is_missing = $10
    AND (
      IIF($9, text_key < $11, text_key > $11)
      OR (text_key = $11 AND (number_key, company_id) > ($12, $6))
    )
  )
ORDER BY is_missing, IIF($9, NULL, text_key), IIF($9, text_key, NULL) DESC, number_key, company_id
LIMIT $7
