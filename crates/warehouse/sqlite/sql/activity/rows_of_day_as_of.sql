-- As rows_as_of.sql for one day $1, read through the indexes by day: companies $2..$3 after
-- ($4, $5), at most $6, as they were at $7.
SELECT
  company_id AS "company_id!: String", activity_date AS "activity_date!: chrono::NaiveDate",
  company_name AS "company_name?: String", country AS "country?: String", industry_tag AS "industry_tag?: String",
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user AS "events_per_user?: f64", days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>"
FROM (
  SELECT *
  FROM fact_rows_by_day
  WHERE activity_date = $1
    AND company_id BETWEEN $2 AND $3
    AND (company_id, activity_date) > ($4, $5)
    AND loaded_at <= $7
  ORDER BY company_id
  LIMIT $6
)
UNION ALL
SELECT *
FROM (
  SELECT
    company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
    active_users_7d, is_churn_risk, events_per_user, days_since_last_contact, loaded_at
  FROM fact_rows_replaced
  WHERE activity_date = $1
    AND company_id BETWEEN $2 AND $3
    AND (company_id, activity_date) > ($4, $5)
    AND loaded_at <= $7 AND replaced_at > $7
  ORDER BY company_id
  LIMIT $6
)
ORDER BY 1
LIMIT $6
