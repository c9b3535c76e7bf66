-- The exports that are to be loaded again.
SELECT path, effective_on AS "effective_on: chrono::NaiveDate", etag, bytes, archive_path
FROM crm_exports
WHERE replay_requested_at IS NOT NULL
ORDER BY path, effective_on
