-- The companies of day $1 by how their risk of churn has changed since the day before, $2: by
-- country, by industry, and by the days since their last contact.
WITH
compared AS MATERIALIZED (
  SELECT
    COALESCE(fact.country, '') AS country, COALESCE(fact.industry_tag, '') AS industry_tag,
    fact.days_since_last_contact AS days, fact.is_churn_risk AS is_at_risk,
    -- Who has no row on the day before was not at risk then.
    COALESCE(before.is_churn_risk, FALSE) AS was_at_risk
  FROM fact_rows_by_day AS fact
  LEFT JOIN fact_company_activity AS before
    ON before.company_id = fact.company_id AND before.activity_date = $2
  WHERE fact.activity_date = $1
)
SELECT
  'COUNTRY' AS "kind!: String", country AS "value!: String", NULL AS "days?: i32",
  COUNT(*) AS "companies!: i64",
  COUNT(*) FILTER (WHERE is_at_risk) AS "at_risk!: i64",
  COUNT(*) FILTER (WHERE is_at_risk AND NOT was_at_risk) AS "new!: i64",
  COUNT(*) FILTER (WHERE NOT is_at_risk AND was_at_risk) AS "recovered!: i64"
FROM compared
GROUP BY country
UNION ALL
SELECT
  'INDUSTRY', industry_tag, NULL,
  COUNT(*),
  COUNT(*) FILTER (WHERE is_at_risk),
  COUNT(*) FILTER (WHERE is_at_risk AND NOT was_at_risk),
  COUNT(*) FILTER (WHERE NOT is_at_risk AND was_at_risk)
FROM compared
GROUP BY industry_tag
UNION ALL
SELECT
  'CONTACT', '', days,
  COUNT(*),
  COUNT(*) FILTER (WHERE is_at_risk),
  COUNT(*) FILTER (WHERE is_at_risk AND NOT was_at_risk),
  COUNT(*) FILTER (WHERE NOT is_at_risk AND was_at_risk)
FROM compared
GROUP BY days
