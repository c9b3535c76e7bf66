-- Rows by company, then day, as they were at $7: those that are published since then at least, and
-- those that have been replaced since. $1..$6 as of rows.sql. What was published later, a month that
-- was attached among it, has a later loaded_at. Each part is cut on its own, so that its index has
-- the order.
(
  SELECT
    company_id AS "company_id!", activity_date AS "activity_date!", company_name, country, industry_tag,
    last_contact_at, active_users AS "active_users!", events AS "events!",
    "7d_active_users" AS "active_users_7d!", is_churn_risk AS "is_churn_risk!", events_per_user,
    days_since_last_contact, loaded_at AS "loaded_at!"
  FROM fact_company_activity
  WHERE activity_date BETWEEN $1 AND $2
    AND ($3::TEXT IS NULL OR company_id = $3)
    AND (company_id, activity_date) > ($4, $5::DATE)
    AND loaded_at <= $7
  ORDER BY company_id, activity_date
  LIMIT $6
)
UNION ALL
(
  SELECT
    company_id, activity_date, (was).company_name, (was).country, (was).industry_tag, (was).last_contact_at,
    (was).active_users, (was).events, (was)."7d_active_users", (was).is_churn_risk, (was).events_per_user,
    (was).days_since_last_contact, (was).loaded_at
  FROM fact_history
  WHERE activity_date BETWEEN $1 AND $2
    AND ($3::TEXT IS NULL OR company_id = $3)
    AND (company_id, activity_date) > ($4, $5::DATE)
    AND (was).loaded_at <= $7 AND replaced_at > $7
  ORDER BY company_id, activity_date
  LIMIT $6
)
ORDER BY 1, 2
LIMIT $6
