-- Of several records of one event only the last stays.
WITH
winner AS (
  SELECT company_id, date, event_id, MAX(line) AS line
  FROM event_incoming
  GROUP BY company_id, date, event_id
  HAVING COUNT(*) > 1
)
DELETE FROM event_incoming AS loser
USING winner
WHERE (loser.company_id, loser.date, loser.event_id) = (winner.company_id, winner.date, winner.event_id)
  AND loser.line < winner.line
