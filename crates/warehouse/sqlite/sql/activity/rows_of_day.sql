-- Rows of one day $1 by company, read through the index by day: companies $2..$3
-- after ($4, $5), at most $6.
SELECT
  company_id, activity_date AS "activity_date: chrono::NaiveDate", company_name, country, industry_tag,
  last_contact_at AS "last_contact_at: chrono::DateTime<chrono::Utc>",
  active_users AS "active_users: i32", events, "7d_active_users" AS active_users_7d, is_churn_risk,
  events_per_user, days_since_last_contact AS "days_since_last_contact: i32",
  loaded_at AS "loaded_at: chrono::DateTime<chrono::Utc>"
FROM fact_company_activity INDEXED BY fact_company_activity_by_date
WHERE activity_date = $1
  AND company_id BETWEEN $2 AND $3
  AND (company_id, activity_date) > ($4, $5)
ORDER BY company_id
LIMIT $6
