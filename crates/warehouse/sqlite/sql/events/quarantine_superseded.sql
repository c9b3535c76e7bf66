-- A record that a later line of the same file contradicts goes into quarantine;
-- one that a later line merely repeats does not.
-- $1 origin, $2 run, $3 stage, $4 now
WITH
-- The line that counts for each event: the last one.
winner AS (
  SELECT company_id, date, event_id, MAX(line) AS line
  FROM event_incoming
  GROUP BY company_id, date, event_id
  HAVING COUNT(*) > 1
)
INSERT OR REPLACE INTO quarantine (
  origin, line, run_id, stage, kind, cause, reason, raw, quarantined_at, business_date
)
SELECT
  $1, loser.line, $2, $3, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_object(
    'company_id', loser.company_id, 'date', loser.date, 'event_id', loser.event_id, 'events', loser.events
  ),
  $4, NULL
FROM winner
JOIN event_incoming AS kept ON kept.line = winner.line
JOIN event_incoming AS loser
  ON (loser.company_id, loser.date, loser.event_id) = (winner.company_id, winner.date, winner.event_id)
  AND loser.line < winner.line
WHERE loser.events <> kept.events
