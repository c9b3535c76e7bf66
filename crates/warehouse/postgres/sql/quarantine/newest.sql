-- The newest rows, only those of run $1 unless it is NULL, at most $2.
SELECT
  run_id, stage, origin, line, kind, reason, raw, business_date, quarantined_at, accepted_at, accepted_by,
  accepted_why
FROM quarantine
WHERE run_id = $1 OR $1 IS NULL
ORDER BY quarantined_at DESC, origin, line
LIMIT $2
