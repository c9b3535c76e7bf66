-- The companies of day $1 by a value of theirs, at most $7. $2..$5 as of companies_by_id.sql. $8 the
-- value, $9 whether the greatest comes first. After company $6, empty for from the first, of which
-- $10 is whether it has no value, and $11 and $12 are its keys.
WITH
found AS (
  SELECT
    fact.*,
    CASE $8 WHEN 'COMPANY_ID' THEN company_id WHEN 'NAME' THEN company_name END COLLATE "C" AS text_value,
    CASE $8
      WHEN 'EVENTS' THEN events
      WHEN 'ACTIVE_USERS_7D' THEN "7d_active_users"
      WHEN 'DAYS_SINCE_LAST_CONTACT' THEN days_since_last_contact
    END AS number_value
  FROM fact_company_activity AS fact
  WHERE activity_date = $1
    -- Rows of a month that is published later are there, but not in the ledger of this state.
    AND EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1)
    AND (CARDINALITY($2::TEXT[]) = 0 OR lower((company_id || E'\n' || COALESCE(company_name, '')) COLLATE "C") LIKE ALL ($2))
    AND ($3::TEXT IS NULL OR COALESCE(country, '') = $3)
    AND ($4::TEXT IS NULL OR COALESCE(industry_tag, '') = $4)
    AND (is_churn_risk OR NOT $5)
),
-- No value is last in both directions; numbers are turned round, texts cannot be.
keyed AS (
  SELECT
    found.*,
    text_value IS NULL AND number_value IS NULL AS is_missing,
    COALESCE(text_value, '') AS text_key,
    COALESCE(CASE WHEN $9 THEN -number_value ELSE number_value END, 0) AS number_key
  FROM found
)
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users,
  events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
FROM keyed
WHERE $6 = ''
  OR is_missing > $10
  OR (
    is_missing = $10
    AND (
      CASE WHEN $9 THEN text_key < $11 ELSE text_key > $11 END
      OR (text_key = $11 AND (number_key, company_id) > ($12, $6))
    )
  )
ORDER BY
  is_missing, CASE WHEN NOT $9 THEN text_key END, CASE WHEN $9 THEN text_key END DESC, number_key, company_id
LIMIT $7
