-- Rows by company, then day. $1..$2 days, $3 the company or NULL for all, after ($4, $5), at most $6.
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
  "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user, days_since_last_contact, loaded_at
FROM fact_company_activity
WHERE activity_date BETWEEN $1 AND $2
  AND ($3::TEXT IS NULL OR company_id = $3)
  AND (company_id, activity_date) > ($4, $5::DATE)
ORDER BY company_id, activity_date
LIMIT $6
