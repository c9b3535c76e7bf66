-- A company's periods. $1 company, $2..$3 days, $4 whether by month, else by ISO week.
WITH
dated AS (
  SELECT
    CASE
      WHEN $4 THEN date(activity_date, 'start of month')
      -- On to Sunday, six days back: the Monday of the week.
      ELSE date(activity_date, 'weekday 0', '-6 days')
    END AS period_start,
    activity_date, active_users, events, is_churn_risk
  FROM fact_company_activity
  WHERE company_id = $1 AND activity_date BETWEEN $2 AND $3
),
-- The last day of each period decides whether it ends at risk.
numbered AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY period_start ORDER BY activity_date DESC) AS from_end
  FROM dated
)
SELECT
  period_start AS "period_start!: chrono::NaiveDate",
  COUNT(*) AS "days!: i64",
  SUM(active_users) AS "user_days!: i64",
  SUM(events) AS "events!: i64",
  COUNT(*) FILTER (WHERE events > 0) AS "active_days!: i64",
  MAX(is_churn_risk) FILTER (WHERE from_end = 1) AS "is_churn_risk_at_end!: bool"
FROM numbered
GROUP BY period_start
ORDER BY period_start
