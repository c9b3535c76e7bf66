SELECT date AS "date: chrono::NaiveDate", event_id, events, source_path
FROM fact_events
WHERE company_id = $1 AND date BETWEEN $2 AND $3
ORDER BY date, event_id
