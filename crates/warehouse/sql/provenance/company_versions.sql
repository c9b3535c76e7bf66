-- What the CRM says of company $1, the newest version first, of those that begin before day $2,
-- at most $3; each with the export of its first snapshot and the bits of what could not be read
-- there.
SELECT
  version.effective_from AS "effective_from!: chrono::NaiveDate",
  version.effective_to AS "effective_to: chrono::NaiveDate",
  version.name, version.country, version.industry_tag,
  version.last_contact_at AS "last_contact_at: chrono::DateTime<chrono::Utc>",
  snapshot.path AS "path!",
  export.archive_path,
  CAST(export.run_id AS TEXT) AS "run_id?: String",
  export.loaded_at AS "loaded_at?: chrono::DateTime<chrono::Utc>",
  COALESCE(unread.fields, 0) AS "unread!: i32"
FROM crm_company_versions AS version
JOIN crm_snapshots AS snapshot ON snapshot.effective_on = version.effective_from
LEFT JOIN crm_exports AS export
  ON export.path = snapshot.path AND export.effective_on = snapshot.effective_on
LEFT JOIN crm_unreadable AS unread
  ON unread.company_id = version.company_id AND unread.effective_on = version.effective_from
WHERE version.company_id = $1 AND version.effective_from < $2
ORDER BY version.effective_from DESC
LIMIT $3
