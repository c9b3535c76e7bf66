-- Days from $1 to $2, $3 events written.
SELECT
  analyze_if_grown('fact_events', $1, $2, $3),
  analyze_if_grown('agg_company_daily_events', $1, $2, (SELECT COUNT(*) FROM event_sums))
