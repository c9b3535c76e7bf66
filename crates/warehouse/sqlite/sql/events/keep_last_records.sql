-- Of several records of one event only the last stays.
DELETE FROM event_incoming
WHERE EXISTS (
  SELECT 1 FROM event_incoming AS later
  WHERE (later.company_id, later.date, later.event_id)
      = (event_incoming.company_id, event_incoming.date, event_incoming.event_id)
    AND later.line > event_incoming.line
)
