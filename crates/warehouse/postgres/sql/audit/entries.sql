-- The newest actions first, each with its end if that is recorded: requested at $1 or
-- later unless that is NULL, of the names $2 unless that is empty, before action $3
-- unless that is NULL, at most $4.
SELECT
  action_id, action, actor, address, details, requested_at, outcome AS "outcome?", message AS "message?",
  ended_at AS "ended_at?"
FROM audit_actions
LEFT JOIN audit_ends USING (action_id)
WHERE
  ($1::TIMESTAMPTZ IS NULL OR requested_at >= $1)
  AND (cardinality($2::TEXT[]) = 0 OR action = ANY ($2))
  AND ($3::BIGINT IS NULL OR action_id < $3)
ORDER BY action_id DESC
LIMIT $4
