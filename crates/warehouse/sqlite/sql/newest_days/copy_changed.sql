-- As publish_changed.sql, to the newest days. $1 now.
INSERT OR REPLACE INTO newest_day_rows (
  activity_date, company_id, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
)
SELECT
  activity_date, company_id, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  $1
FROM fact_candidates
WHERE change IN ('NEW', 'CHANGED') AND activity_date IN (SELECT activity_date FROM newest_days)
