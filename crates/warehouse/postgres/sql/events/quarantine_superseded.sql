-- A record that a later line of the same file contradicts goes into quarantine;
-- one that a later line merely repeats does not.
WITH
-- The line that counts for each event: the last one.
winner AS (
  SELECT company_id, date, event_id, MAX(line) AS line
  FROM event_incoming
  GROUP BY company_id, date, event_id
  HAVING COUNT(*) > 1
)
INSERT INTO rejected_incoming (line, kind, cause, reason, raw)
SELECT
  loser.line, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_build_object(
    'company_id', loser.company_id, 'date', loser.date, 'event_id', loser.event_id, 'events', loser.events
  )
FROM winner
JOIN event_incoming AS kept USING (company_id, date, event_id, line)
JOIN event_incoming AS loser USING (company_id, date, event_id)
WHERE loser.line < winner.line AND loser.events <> kept.events
