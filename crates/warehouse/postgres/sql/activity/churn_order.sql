-- The companies at risk on day $1, and the newest published day with events of each, at the
-- latest the day itself.
SELECT
  company_id,
  (
    SELECT earlier.activity_date
    FROM fact_company_activity AS earlier
    WHERE earlier.company_id = fact.company_id AND earlier.activity_date <= $1 AND earlier.events > 0
    ORDER BY earlier.activity_date DESC
    LIMIT 1
  ) AS last_event_date
FROM fact_company_activity AS fact
WHERE activity_date = $1 AND is_churn_risk
