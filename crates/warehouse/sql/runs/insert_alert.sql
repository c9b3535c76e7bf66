INSERT INTO alert_outbox (
  alert_key, pipeline, stage, attempt, error_code, error_message, run_id, business_date, failed_at,
  cause
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (alert_key) DO NOTHING
