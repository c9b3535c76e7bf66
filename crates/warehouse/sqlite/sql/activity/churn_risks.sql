-- The companies at risk on day $1, the most recently active first. After
-- ($2, $3) in that order ('' stands for a company that was never active), at most $4.
WITH
risks AS (
  SELECT
    fact.*,
    -- The newest published day with events, at the latest the day itself.
    COALESCE((
      SELECT earlier.activity_date FROM fact_company_activity AS earlier
      WHERE earlier.company_id = fact.company_id AND earlier.activity_date <= $1 AND earlier.events > 0
      ORDER BY earlier.activity_date DESC
      LIMIT 1
    ), '') AS "last_event_date!: String"
  FROM fact_rows_by_day AS fact
  WHERE fact.activity_date = $1 AND fact.is_churn_risk
)
SELECT *
FROM risks
WHERE "last_event_date!: String" < $2 OR ("last_event_date!: String" = $2 AND company_id > $3)
ORDER BY "last_event_date!: String" DESC, company_id
LIMIT $4
