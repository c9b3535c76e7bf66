-- $1: now, the loaded_at of every row whose values change.
INSERT OR REPLACE INTO fact_company_activity (
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
)
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  $1
FROM fact_candidates
WHERE change IN ('NEW', 'CHANGED')
