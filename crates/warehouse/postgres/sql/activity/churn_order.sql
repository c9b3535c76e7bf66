-- The companies at risk on day $1, and the newest published day with events of each, at the
-- latest the day itself. Rows of a month that is published later are there, but not in the
-- ledger of this state; IS NOT FALSE keeps the ledger a list of days to look up in.
SELECT
  company_id,
  (
    SELECT earlier.activity_date
    FROM fact_company_activity AS earlier
    WHERE earlier.company_id = fact.company_id AND earlier.activity_date <= $1 AND earlier.events > 0
      AND (earlier.activity_date IN (SELECT activity_date FROM published_days)) IS NOT FALSE
    ORDER BY earlier.activity_date DESC
    LIMIT 1
  ) AS last_event_date
FROM fact_company_activity AS fact JOIN published_days USING (activity_date)
WHERE activity_date = $1 AND is_churn_risk
