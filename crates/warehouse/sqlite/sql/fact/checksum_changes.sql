-- The rows that decide by what publishing the candidates changes the checksums of days.
-- The rows that come ...
SELECT
  company_id, activity_date AS "activity_date: chrono::NaiveDate", company_name, country, industry_tag,
  last_contact_at AS "last_contact_at: chrono::DateTime<chrono::Utc>",
  active_users AS "active_users: i32", events, "7d_active_users" AS active_users_7d, is_churn_risk,
  events_per_user, days_since_last_contact AS "days_since_last_contact: i32",
  $1 AS "loaded_at!: chrono::DateTime<chrono::Utc>"
FROM fact_candidates
WHERE change IN ('NEW', 'CHANGED')
UNION ALL
-- ... and those that they replace, or that go.
SELECT
  fact.company_id, fact.activity_date, fact.company_name, fact.country, fact.industry_tag,
  fact.last_contact_at, fact.active_users, fact.events, fact."7d_active_users", fact.is_churn_risk,
  fact.events_per_user, fact.days_since_last_contact, fact.loaded_at
FROM fact_candidates AS candidate
JOIN fact_company_activity AS fact USING (company_id, activity_date)
WHERE candidate.change IN ('CHANGED', 'GONE')
