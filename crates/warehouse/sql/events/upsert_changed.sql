-- $1: the file's path.
INSERT INTO fact_events (company_id, date, event_id, events, source_path)
SELECT company_id, date, event_id, events, $1
FROM event_changes
WHERE change <> 'OVERRULED'
ON CONFLICT (company_id, date, event_id)
DO UPDATE SET events = excluded.events, source_path = excluded.source_path
