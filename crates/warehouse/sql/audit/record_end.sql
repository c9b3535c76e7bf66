INSERT INTO audit_ends (action_id, outcome, message, ended_at)
VALUES ($1, $2, $3, $4)
