-- Rows by company, then day. $1..$2 days, $3..$4 companies, after ($5, $6), at most $7.
SELECT
  company_id, activity_date AS "activity_date: chrono::NaiveDate", company_name, country, industry_tag,
  last_contact_at AS "last_contact_at: chrono::DateTime<chrono::Utc>",
  active_users AS "active_users: i32", events, "7d_active_users" AS active_users_7d, is_churn_risk,
  events_per_user, days_since_last_contact AS "days_since_last_contact: i32",
  loaded_at AS "loaded_at: chrono::DateTime<chrono::Utc>"
FROM fact_company_activity
WHERE activity_date BETWEEN $1 AND $2
  AND company_id BETWEEN $3 AND $4
  AND (company_id, activity_date) > ($5, $6)
ORDER BY company_id, activity_date
LIMIT $7
