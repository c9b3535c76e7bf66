INSERT INTO audit_actions (action, actor, address, details, requested_at)
VALUES ($1, $2, $3, $4, $5)
RETURNING action_id
