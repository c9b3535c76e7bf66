-- The companies of day $1 by how their risk of churn has changed since the day before, $2: by
-- country, by industry, and by the days since their last contact.
WITH
-- Who was at risk on the day before. Who has no row there was not.
risks_before AS MATERIALIZED (
  SELECT company_id FROM fact_rows_of_days WHERE activity_date = $2 AND is_churn_risk
),
-- Every company of the day: what it is counted by, and whether it was and is at risk.
compared AS MATERIALIZED (
  SELECT
    COALESCE(country, '') AS country, COALESCE(industry_tag, '') AS industry_tag,
    days_since_last_contact AS days, is_churn_risk AS is_at_risk,
    company_id IN (SELECT company_id FROM risks_before) AS was_at_risk
  FROM fact_rows_of_days
  WHERE activity_date = $1
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
