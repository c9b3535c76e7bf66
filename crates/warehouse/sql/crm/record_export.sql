INSERT INTO crm_exports (path, effective_on, etag, bytes, companies, run_id, loaded_at, archive_path)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (path, effective_on) DO UPDATE SET
  etag = excluded.etag, bytes = excluded.bytes, companies = excluded.companies, run_id = excluded.run_id,
  loaded_at = excluded.loaded_at, archive_path = excluded.archive_path
