-- The snapshot that counts on day $2, the export that it was loaded from, and the bits of what
-- of company $1 could not be read there.
SELECT
  snapshot.effective_on AS "effective_on!: chrono::NaiveDate",
  snapshot.path AS "path!",
  export.archive_path,
  CAST(export.run_id AS TEXT) AS "run_id: String",
  export.loaded_at AS "loaded_at: chrono::DateTime<chrono::Utc>",
  COALESCE(unread.fields, 0) AS "unread!: i32"
FROM crm_snapshots AS snapshot
LEFT JOIN crm_exports AS export
  ON export.path = snapshot.path AND export.effective_on = snapshot.effective_on
LEFT JOIN crm_unreadable AS unread
  ON unread.company_id = $1 AND unread.effective_on = snapshot.effective_on
-- The newest on or before the day; before the first one, the first.
WHERE snapshot.effective_on = COALESCE(
  (SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on <= $2),
  (SELECT MIN(effective_on) FROM crm_snapshots)
)
