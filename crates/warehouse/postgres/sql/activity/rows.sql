-- Rows by company, then day. $1..$2 days, $3 the company or NULL for all, after ($4, $5), at most $6.
-- A month that is published later is attached with rows from before it, so the state that a
-- transaction sees does not hide them: its ledger does. IS NOT FALSE keeps the ledger a list of
-- days to look each row up in; a join could cost the order.
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
  "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user, days_since_last_contact, loaded_at
FROM fact_company_activity
WHERE activity_date BETWEEN $1 AND $2
  AND ($3::TEXT IS NULL OR company_id = $3)
  AND (company_id, activity_date) > ($4, $5::DATE)
  AND (activity_date IN (SELECT activity_date FROM published_days WHERE activity_date BETWEEN $1 AND $2)) IS NOT FALSE
ORDER BY company_id, activity_date
LIMIT $6
