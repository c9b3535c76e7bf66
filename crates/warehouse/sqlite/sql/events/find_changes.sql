-- The records of the file $1 that are not exactly what is stored:
-- OVERRULED  a file whose path sorts later has the last word on the event
-- MOVED      the event stays as it is, but from now on this file has the last word
-- WRITTEN    the event is new or gets another count
INSERT INTO event_changes (company_id, date, event_id, events, change)
SELECT
  incoming.company_id, incoming.date, incoming.event_id, incoming.events,
  CASE
    WHEN stored.source_path > $1 THEN 'OVERRULED'
    WHEN stored.events = incoming.events THEN 'MOVED'
    ELSE 'WRITTEN'
  END
FROM event_incoming AS incoming
LEFT JOIN fact_events AS stored
  ON stored.company_id = incoming.company_id
  AND stored.date = incoming.date
  AND stored.event_id = incoming.event_id
WHERE stored.source_path IS NOT $1 OR stored.events <> incoming.events
-- Both tables are written in the order of their keys.
ORDER BY incoming.company_id, incoming.date, incoming.event_id
