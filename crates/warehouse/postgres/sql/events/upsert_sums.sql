INSERT INTO agg_company_daily_events AS known (company_id, date, events, event_count)
SELECT company_id, date, events::BIGINT, event_count
FROM event_sums
ON CONFLICT (company_id, date)
DO UPDATE SET events = excluded.events, event_count = excluded.event_count
WHERE (known.events, known.event_count) <> (excluded.events, excluded.event_count)
