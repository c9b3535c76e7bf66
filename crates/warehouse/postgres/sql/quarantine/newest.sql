-- The newest rows, only those of run $1 unless it is NULL, at most $2.
SELECT run_id, stage, origin, line, reason, raw, quarantined_at
FROM quarantine
WHERE $1::UUID IS NULL OR run_id = $1
ORDER BY quarantined_at DESC, origin, line
LIMIT $2
