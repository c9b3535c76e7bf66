-- The companies at risk on day $1, the most recently active first, those never
-- active last. If $2, only those after ($3, $4) in that order. At most $5.
WITH
risks AS (
  SELECT fact.*, active.last_event_date, COALESCE(active.last_event_date, '-infinity') AS sort_date
  FROM fact_company_activity AS fact
  -- The newest published day with events, at the latest the day itself.
  LEFT JOIN LATERAL (
    SELECT earlier.activity_date AS last_event_date
    FROM fact_company_activity AS earlier
    WHERE earlier.company_id = fact.company_id AND earlier.activity_date <= $1 AND earlier.events > 0
    ORDER BY earlier.activity_date DESC
    LIMIT 1
  ) AS active ON TRUE
  WHERE fact.activity_date = $1 AND fact.is_churn_risk
)
SELECT
  company_id AS "company_id!", activity_date AS "activity_date!", company_name, country, industry_tag,
  last_contact_at, active_users AS "active_users!", events AS "events!",
  "7d_active_users" AS "active_users_7d!", is_churn_risk AS "is_churn_risk!", events_per_user,
  days_since_last_contact, loaded_at AS "loaded_at!", last_event_date AS "last_event_date?"
FROM risks
WHERE NOT $2::BOOLEAN
  OR sort_date < COALESCE($3::DATE, '-infinity')
  OR (sort_date = COALESCE($3::DATE, '-infinity') AND company_id > $4)
ORDER BY sort_date DESC, company_id
LIMIT $5
