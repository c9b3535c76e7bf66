-- What waits now.
SELECT
  (SELECT COUNT(*) FROM dirty_company_days) AS "dirty_ranges!",
  (SELECT COUNT(*) FROM quarantine) AS "quarantined_rows!",
  COUNT(*) AS "alerts!",
  COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - MIN(failed_at)), 0)::DOUBLE PRECISION AS "oldest_alert_seconds!"
FROM alert_outbox
WHERE settled_at IS NULL
