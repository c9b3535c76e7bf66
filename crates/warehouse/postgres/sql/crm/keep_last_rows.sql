-- Of several rows for one company only the last stays. $1: whether those go that are
-- not wholly readable, or the others.
WITH
winner AS (
  SELECT company_id, MAX(line) AS line FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
DELETE FROM crm_incoming AS loser
USING winner
WHERE loser.company_id = winner.company_id
  AND loser.line < winner.line
  AND (loser.unreadable <> 0) = $1
