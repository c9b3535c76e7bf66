-- Rows by company, then day, as they were at $8: those that are published since then at least, and
-- those that have been replaced since. $1..$7 as of rows.sql. Each part is cut on its own, so that
-- its index has the order.
SELECT
  company_id AS "company_id!: String", activity_date AS "activity_date!: chrono::NaiveDate",
  company_name AS "company_name?: String", country AS "country?: String", industry_tag AS "industry_tag?: String",
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user AS "events_per_user?: f64", days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>"
FROM (
  SELECT *
  FROM fact_rows
  WHERE activity_date BETWEEN $1 AND $2
    AND company_id BETWEEN $3 AND $4
    AND (company_id, activity_date) > ($5, $6)
    AND loaded_at <= $8
  ORDER BY company_id, activity_date
  LIMIT $7
)
UNION ALL
SELECT *
FROM (
  SELECT
    company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
    active_users_7d, is_churn_risk, events_per_user, days_since_last_contact, loaded_at
  FROM fact_rows_replaced
  WHERE activity_date BETWEEN $1 AND $2
    AND company_id BETWEEN $3 AND $4
    AND (company_id, activity_date) > ($5, $6)
    AND loaded_at <= $8 AND replaced_at > $8
  ORDER BY company_id, activity_date
  LIMIT $7
)
ORDER BY 1, 2
LIMIT $7
