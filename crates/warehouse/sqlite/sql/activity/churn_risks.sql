-- The companies at risk on day $1, the most recently active first. After
-- ($2, $3) in that order ('' stands for a company that was never active), at most $4.
WITH
-- The companies at risk. Without MATERIALIZED, SQLite looks for the last day with events again
-- wherever it is used below.
risks AS MATERIALIZED (
  SELECT
    fact.*,
    -- The newest published day with events, at the latest the day itself.
    COALESCE((
      SELECT earlier.activity_date FROM fact_company_activity AS earlier
      WHERE earlier.company_id = fact.company_id AND earlier.activity_date <= $1 AND earlier.events > 0
      ORDER BY earlier.activity_date DESC
      LIMIT 1
    ), '') AS last_event_date
  FROM fact_rows_of_days AS fact
  WHERE fact.activity_date = $1 AND fact.is_churn_risk
)
SELECT
  company_id AS "company_id!: String", activity_date AS "activity_date!: chrono::NaiveDate",
  company_name AS "company_name?: String", country AS "country?: String", industry_tag AS "industry_tag?: String",
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user AS "events_per_user?: f64", days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>",
  last_event_date AS "last_event_date!: String"
FROM risks
WHERE last_event_date < $2 OR (last_event_date = $2 AND company_id > $3)
ORDER BY last_event_date DESC, company_id
LIMIT $4
