-- Claims up to $1 due alerts for $2 milliseconds.
UPDATE alert_outbox
SET tries = tries + 1, due_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $2
WHERE alert_key IN (
  SELECT alert_key FROM alert_outbox
  WHERE settled_at IS NULL AND due_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
  ORDER BY failed_at
  LIMIT $1
)
RETURNING
  alert_key, pipeline, stage, attempt, error_code, error_message, run_id,
  business_date AS "business_date: chrono::NaiveDate",
  failed_at AS "failed_at: chrono::DateTime<chrono::Utc>", tries, cause
