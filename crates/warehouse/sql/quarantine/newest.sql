-- The newest rows, only those of run $1 unless it is NULL, at most $2.
SELECT
  run_id, stage, origin, line, reason, raw, quarantined_at AS "quarantined_at: chrono::DateTime<chrono::Utc>"
FROM quarantine
WHERE run_id = $1 OR $1 IS NULL
ORDER BY quarantined_at DESC, origin, line
LIMIT $2
