-- What was replaced of the days $1..$2, by company, then day, then time.
SELECT
  company_id, activity_date, (was).company_name, (was).country, (was).industry_tag, (was).last_contact_at,
  (was).active_users AS "active_users!", (was).events AS "events!",
  (was)."7d_active_users" AS "active_users_7d!", (was).is_churn_risk AS "is_churn_risk!", (was).events_per_user,
  (was).days_since_last_contact, (was).loaded_at AS "loaded_at!", replaced_at, replaced_by
FROM fact_history
WHERE activity_date BETWEEN $1 AND $2
ORDER BY company_id, activity_date, replaced_at
