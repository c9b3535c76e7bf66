-- The newest rows, only those of run $1 unless it is NULL, at most $2.
SELECT
  run_id, stage, origin, line, kind, reason, raw, business_date AS "business_date: chrono::NaiveDate",
  quarantined_at AS "quarantined_at: chrono::DateTime<chrono::Utc>",
  accepted_at AS "accepted_at: chrono::DateTime<chrono::Utc>", accepted_by, accepted_why
FROM quarantine
WHERE run_id = $1 OR $1 IS NULL
ORDER BY quarantined_at DESC, origin, line
LIMIT $2
