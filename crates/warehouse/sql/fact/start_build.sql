-- The state that the candidates of run $1 are built from.
INSERT INTO fact_build (id, run_id, staging_version, publish_version, last_dirty_change)
SELECT 1, $1, staging, publish, COALESCE((SELECT MAX(change_id) FROM dirty_company_days), 0)
FROM warehouse_versions
WHERE TRUE
ON CONFLICT (id) DO UPDATE SET
  run_id = excluded.run_id, staging_version = excluded.staging_version,
  publish_version = excluded.publish_version, last_dirty_change = excluded.last_dirty_change
