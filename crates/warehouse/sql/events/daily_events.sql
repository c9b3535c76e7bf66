SELECT date AS "date: chrono::NaiveDate", events, event_count
FROM agg_company_daily_events
WHERE company_id = $1 AND date BETWEEN $2 AND $3
ORDER BY date
