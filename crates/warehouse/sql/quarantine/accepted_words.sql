-- The words of the rejected rows of stage $1 on day $2 that somebody has accepted, a row each.
SELECT COALESCE(cause, reason) AS "cause!", raw
FROM quarantine
WHERE stage = $1 AND business_date = $2 AND accepted_at IS NOT NULL
