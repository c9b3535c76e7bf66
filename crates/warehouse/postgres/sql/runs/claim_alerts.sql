-- Claims up to $1 due alerts for $2 seconds.
WITH
-- The oldest that nobody else is claiming at this moment.
due AS MATERIALIZED (
  SELECT alert_key FROM alert_outbox
  WHERE settled_at IS NULL AND due_at <= clock_timestamp()
  ORDER BY failed_at
  LIMIT $1
  FOR UPDATE SKIP LOCKED
)
UPDATE alert_outbox AS claimed
SET tries = tries + 1, due_at = clock_timestamp() + make_interval(secs => $2)
FROM due
WHERE claimed.alert_key = due.alert_key
RETURNING
  claimed.alert_key, pipeline, stage, attempt, error_code, error_message, run_id, business_date, failed_at,
  tries, cause
