-- The companies of day $1 by how their risk of churn has changed since the day before, $2: by
-- country, by industry, and by the days since their last contact.
WITH
compared AS (
  SELECT
    COALESCE(fact.country, '') AS country, COALESCE(fact.industry_tag, '') AS industry_tag,
    fact.days_since_last_contact AS days, fact.is_churn_risk AS is_at_risk,
    -- Who has no row on the day before was not at risk then.
    COALESCE(before.is_churn_risk, FALSE) AS was_at_risk
  FROM fact_company_activity AS fact
  LEFT JOIN fact_company_activity AS before
    ON before.company_id = fact.company_id AND before.activity_date = $2
  WHERE fact.activity_date = $1
)
SELECT
  -- A bit for each column that the group is not made by.
  CASE GROUPING(country, industry_tag, days) WHEN 3 THEN 'COUNTRY' WHEN 5 THEN 'INDUSTRY' ELSE 'CONTACT' END AS "kind!",
  COALESCE(country, industry_tag, '') AS "value!",
  days,
  COUNT(*) AS "companies!",
  COUNT(*) FILTER (WHERE is_at_risk) AS "at_risk!",
  COUNT(*) FILTER (WHERE is_at_risk AND NOT was_at_risk) AS "new!",
  COUNT(*) FILTER (WHERE NOT is_at_risk AND was_at_risk) AS "recovered!"
FROM compared
GROUP BY GROUPING SETS ((country), (industry_tag), (days))
