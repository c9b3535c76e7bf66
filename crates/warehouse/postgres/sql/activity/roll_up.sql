-- A company's periods. $1 company, $2..$3 days, $4 'week' (ISO) or 'month'.
WITH
dated AS (
  SELECT
    -- Truncated as a time without zone: the session's zone has no say.
    date_trunc($4, activity_date::TIMESTAMP)::DATE AS period_start,
    activity_date, active_users, events, is_churn_risk
  -- Rows of a month that is published later are there, but not in the ledger of this state.
  FROM fact_company_activity JOIN published_days USING (activity_date)
  WHERE company_id = $1 AND activity_date BETWEEN $2 AND $3
),
-- The last day of each period decides whether it ends at risk.
numbered AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY period_start ORDER BY activity_date DESC) AS from_end
  FROM dated
)
SELECT
  period_start AS "period_start!",
  COUNT(*) AS "days!",
  SUM(active_users) AS "user_days!",
  SUM(events)::BIGINT AS "events!",
  COUNT(*) FILTER (WHERE events > 0) AS "active_days!",
  BOOL_OR(is_churn_risk) FILTER (WHERE from_end = 1) AS "is_churn_risk_at_end!"
FROM numbered
GROUP BY period_start
ORDER BY period_start
