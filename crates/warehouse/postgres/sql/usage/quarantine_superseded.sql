-- A record of day $1 that a later record contradicts goes into quarantine; one
-- that a later record merely repeats does not.
WITH
-- The line that counts for each company: the last one.
winner AS (
  SELECT company_id, MAX(line) AS line FROM usage_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
INSERT INTO rejected_incoming (line, kind, cause, reason, raw)
SELECT
  loser.line, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_build_object(
    'company_id', loser.company_id, 'date', $1::DATE,
    'active_users', loser.active_users, 'events', loser.events
  )
FROM winner
JOIN usage_incoming AS kept ON kept.company_id = winner.company_id AND kept.line = winner.line
JOIN usage_incoming AS loser ON loser.company_id = winner.company_id AND loser.line < winner.line
WHERE (loser.active_users, loser.events) <> (kept.active_users, kept.events)
