-- As churn_order.sql, of some companies of day $1: $2 whether they are at risk, $3 whether they were
-- on the day before, $4, or NULL for either; $5 country, $6 industry, empty for those without, NULL
-- for all.
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
WHERE activity_date = $1 AND is_churn_risk = $2
  AND ($5::TEXT IS NULL OR COALESCE(country, '') = $5)
  AND ($6::TEXT IS NULL OR COALESCE(industry_tag, '') = $6)
  AND (
    $3::BOOLEAN IS NULL
    -- Who has no row on the day before was not at risk then.
    OR $3 = EXISTS (
      SELECT 1
      FROM fact_company_activity AS before
      WHERE before.company_id = fact.company_id AND before.activity_date = $4 AND before.is_churn_risk
    )
  )
