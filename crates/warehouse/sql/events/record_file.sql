INSERT INTO event_files (path, etag, bytes, run_id, loaded_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (path) DO UPDATE SET
  etag = excluded.etag, bytes = excluded.bytes, run_id = excluded.run_id, loaded_at = excluded.loaded_at
