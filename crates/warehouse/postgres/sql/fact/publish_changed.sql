-- $1: now, their loaded_at. Found by their key, not joined: they are few as a rule,
-- and no estimate can make it a scan of the partitions.
INSERT INTO fact_company_activity AS fact (
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
)
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  $1
FROM fact_candidates
WHERE change = 'CHANGED'
ON CONFLICT (company_id, activity_date) DO UPDATE SET
  company_name = excluded.company_name, country = excluded.country, industry_tag = excluded.industry_tag,
  last_contact_at = excluded.last_contact_at, active_users = excluded.active_users, events = excluded.events,
  "7d_active_users" = excluded."7d_active_users", is_churn_risk = excluded.is_churn_risk,
  events_per_user = excluded.events_per_user,
  days_since_last_contact = excluded.days_since_last_contact, loaded_at = excluded.loaded_at
