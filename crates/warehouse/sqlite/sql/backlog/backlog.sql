-- What waits now.
SELECT
  (SELECT COUNT(*) FROM dirty_company_days) AS "dirty_ranges!: i64",
  (SELECT COUNT(*) FROM quarantine) AS "quarantined_rows!: i64",
  COUNT(*) AS "alerts!: i64",
  COALESCE(unixepoch('subsec') - MIN(unixepoch(failed_at, 'subsec')), 0.0) AS "oldest_alert_seconds!: f64"
FROM alert_outbox
WHERE settled_at IS NULL
