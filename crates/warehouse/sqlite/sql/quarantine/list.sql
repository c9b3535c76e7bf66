-- Rows by file, then line, after row ($9, $10), at most $11.
-- $1..$2 files, only this line $3, only deliveries about the days $4..$5, only kind $6,
-- only stage $7, only accepted rows or only others $8; NULL does not filter.
SELECT
  run_id, stage, origin, line, kind, reason, raw, business_date AS "business_date: chrono::NaiveDate",
  quarantined_at AS "quarantined_at: chrono::DateTime<chrono::Utc>",
  accepted_at AS "accepted_at: chrono::DateTime<chrono::Utc>", accepted_by, accepted_why
FROM quarantine
WHERE
  origin BETWEEN $1 AND $2
  AND ($3 IS NULL OR line = $3)
  AND ($4 IS NULL OR business_date BETWEEN $4 AND $5)
  AND ($6 IS NULL OR kind = $6)
  AND ($7 IS NULL OR stage = $7)
  AND ($8 IS NULL OR (accepted_at IS NOT NULL) = $8)
  AND (origin, line) > ($9, $10)
ORDER BY origin, line
LIMIT $11
