-- The rows of the companies $2 on day $1, in their order; the position counts from 1.
SELECT
  position AS "position!", fact.company_id, activity_date, company_name, country, industry_tag,
  last_contact_at, active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at
FROM unnest($2::TEXT[]) WITH ORDINALITY AS asked (company_id, position)
JOIN fact_company_activity AS fact ON fact.company_id = asked.company_id
WHERE activity_date = $1
ORDER BY position
