-- Copies the rows of day $1 to those of the newest days.
INSERT OR REPLACE INTO newest_day_rows (
  activity_date, company_id, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
)
SELECT
  activity_date, company_id, company_name, country, industry_tag, last_contact_at,
  active_users, events, active_users_7d, is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
FROM fact_rows_by_day
WHERE activity_date = $1
