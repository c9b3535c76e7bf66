-- The records of the file $1, whose days lie between $2 and $3, that are not
-- exactly what is stored:
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
  -- Says nothing new, but spares the partitions of other months.
  AND stored.date BETWEEN $2 AND $3
WHERE (stored.source_path, stored.events) IS DISTINCT FROM ($1, incoming.events)
