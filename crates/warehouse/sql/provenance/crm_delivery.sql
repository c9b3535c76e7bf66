-- The snapshot that counts on day $1, the export that it was loaded from, and how many of that
-- export's rows are in quarantine.
SELECT
  snapshot.effective_on AS "effective_on!: chrono::NaiveDate",
  snapshot.path AS "path!",
  export.archive_path,
  CAST(export.run_id AS TEXT) AS "run_id?: String",
  export.loaded_at AS "loaded_at?: chrono::DateTime<chrono::Utc>",
  (
    SELECT COUNT(*)
    FROM quarantine
    -- The path may have had another day's export before.
    WHERE origin = snapshot.path AND COALESCE(business_date, snapshot.effective_on) = snapshot.effective_on
  ) AS "quarantined!: i64"
FROM crm_snapshots AS snapshot
LEFT JOIN crm_exports AS export
  ON export.path = snapshot.path AND export.effective_on = snapshot.effective_on
-- The newest on or before the day; before the first one, the first.
WHERE snapshot.effective_on = COALESCE(
  (SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on <= $1),
  (SELECT MIN(effective_on) FROM crm_snapshots)
)
