-- Of several records for one company only the last stays.
WITH
winner AS (
  SELECT company_id, MAX(line) AS line FROM usage_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
DELETE FROM usage_incoming AS loser
USING winner
WHERE loser.company_id = winner.company_id AND loser.line < winner.line
