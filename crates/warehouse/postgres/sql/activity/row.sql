-- The row of company $1 on day $2, and the publication of the day: in one statement, which
-- sees one state without a transaction around it.
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
  "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user, days_since_last_contact, loaded_at,
  day.run_id::TEXT AS "run_id!", day.published_at, day.row_count, day.checksum_version, day.checksum
FROM fact_company_activity JOIN published_days AS day USING (activity_date)
WHERE company_id = $1 AND activity_date = $2
