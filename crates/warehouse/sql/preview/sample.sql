-- The first $1 of the chunk's candidates that change something, in the order of a sample.
SELECT
  company_id, activity_date AS "activity_date: chrono::NaiveDate", company_name, country, industry_tag,
  last_contact_at AS "last_contact_at: chrono::DateTime<chrono::Utc>",
  active_users AS "active_users: i32", events, "7d_active_users" AS active_users_7d, is_churn_risk,
  events_per_user, days_since_last_contact AS "days_since_last_contact: i32", change
FROM fact_candidates
WHERE change <> 'EQUAL'
ORDER BY
  CASE change WHEN 'CHANGED' THEN 1 WHEN 'GONE' THEN 2 ELSE 3 END,
  company_id, activity_date
LIMIT $1
