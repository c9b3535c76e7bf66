-- A month at a time: between the days of one file there may be years without events.
WITH
months AS (
  SELECT DISTINCT date_trunc('month', date)::DATE AS month FROM event_changes WHERE change = 'WRITTEN'
)
SELECT
  ensure_month_partitions('fact_events', month, month),
  ensure_month_partitions('agg_company_daily_events', month, month)
FROM months
