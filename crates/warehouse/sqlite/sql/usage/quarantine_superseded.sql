-- A record that a later record of the same day contradicts goes into
-- quarantine; one that a later record merely repeats does not.
-- $1 origin, $2 run, $3 stage, $4 now, $5 the day
WITH
-- The line that counts for each company: the last one.
winner AS (
  SELECT company_id, MAX(line) AS line FROM usage_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
INSERT OR REPLACE INTO quarantine (
  origin, line, run_id, stage, kind, cause, reason, raw, quarantined_at, business_date
)
SELECT
  $1, loser.line, $2, $3, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_object(
    'company_id', loser.company_id, 'date', $5,
    'active_users', loser.active_users, 'events', loser.events
  ),
  $4, $5
FROM winner
JOIN usage_incoming AS kept ON kept.line = winner.line
JOIN usage_incoming AS loser ON loser.company_id = winner.company_id AND loser.line < winner.line
WHERE (loser.active_users, loser.events) <> (kept.active_users, kept.events)
