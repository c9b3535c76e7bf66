-- What the rows of company $1 on the days $2..$3 were before.
SELECT
  company_id, activity_date, (was).company_name, (was).country, (was).industry_tag, (was).last_contact_at,
  (was).active_users AS "active_users!", (was).events AS "events!",
  (was)."7d_active_users" AS "active_users_7d!", (was).is_churn_risk AS "is_churn_risk!",
  (was).events_per_user, (was).days_since_last_contact, (was).loaded_at AS "loaded_at!", replaced_at
FROM fact_history
WHERE company_id = $1 AND activity_date BETWEEN $2 AND $3
ORDER BY activity_date, replaced_at
