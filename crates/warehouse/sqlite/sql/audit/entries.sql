-- The newest actions first, each with its end if that is recorded: requested at $1 or
-- later unless that is NULL, of the names in the JSON array $2 unless that is empty,
-- before action $3 unless that is NULL, at most $4.
SELECT
  action_id, action, actor, address, details,
  requested_at AS "requested_at: chrono::DateTime<chrono::Utc>", outcome AS "outcome?", message AS "message?",
  ended_at AS "ended_at?: chrono::DateTime<chrono::Utc>"
FROM audit_actions
LEFT JOIN audit_ends USING (action_id)
WHERE
  ($1 IS NULL OR requested_at >= $1)
  AND ($2 = '[]' OR action IN (SELECT value FROM json_each($2)))
  AND ($3 IS NULL OR action_id < $3)
ORDER BY action_id DESC
LIMIT $4
