INSERT INTO agg_company_daily_events (company_id, date, events, event_count)
SELECT company_id, date, (events_high << 32) + events_low, event_count
FROM event_sums
WHERE TRUE -- without it SQLite takes ON CONFLICT for a join's ON
ON CONFLICT (company_id, date)
DO UPDATE SET events = excluded.events, event_count = excluded.event_count
WHERE (agg_company_daily_events.events, agg_company_daily_events.event_count)
   <> (excluded.events, excluded.event_count)
