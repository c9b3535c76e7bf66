-- Keeps the published rows of the days $3..$4, which are taken back. $1 the run, $2 now.
INSERT INTO fact_history (
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at, replaced_at, replaced_by
)
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, active_users_7d, is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at, $2, $1
FROM fact_rows_by_day
WHERE activity_date BETWEEN $3 AND $4
