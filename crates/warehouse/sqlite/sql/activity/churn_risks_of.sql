-- As churn_risks.sql, of some companies of day $1, after ($2, $3), at most $4: $5 whether they are at
-- risk, $6 whether they were on the day before, $7, or NULL for either; $8 country, $9 industry,
-- empty for those without, NULL for all.
WITH
-- Who was at risk on the day before. Who has no row there was not.
risks_before AS MATERIALIZED (
  SELECT company_id FROM fact_rows_of_days WHERE activity_date = $7 AND is_churn_risk
),
-- The companies that are asked for, each once as in churn_risks.sql.
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
  WHERE fact.activity_date = $1 AND fact.is_churn_risk = $5
    AND ($8 IS NULL OR COALESCE(fact.country, '') = $8)
    AND ($9 IS NULL OR COALESCE(fact.industry_tag, '') = $9)
    AND ($6 IS NULL OR $6 = (fact.company_id IN (SELECT company_id FROM risks_before)))
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
