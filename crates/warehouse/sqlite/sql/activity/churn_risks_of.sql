-- As churn_risks.sql, of some companies of day $1, after ($2, $3), at most $4: $5 whether they are at
-- risk, $6 whether they were on the day before, $7, or NULL for either; $8 country, $9 industry,
-- empty for those without, NULL for all.
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
  WHERE fact.activity_date = $1 AND fact.is_churn_risk = $5
    AND ($8 IS NULL OR COALESCE(fact.country, '') = $8)
    AND ($9 IS NULL OR COALESCE(fact.industry_tag, '') = $9)
    AND (
      $6 IS NULL
      -- Who has no row on the day before was not at risk then.
      OR $6 = EXISTS (
        SELECT 1 FROM fact_company_activity AS before
        WHERE before.company_id = fact.company_id AND before.activity_date = $7 AND before.is_churn_risk
      )
    )
)
SELECT *
FROM risks
WHERE "last_event_date!: String" < $2 OR ("last_event_date!: String" = $2 AND company_id > $3)
ORDER BY "last_event_date!: String" DESC, company_id
LIMIT $4
