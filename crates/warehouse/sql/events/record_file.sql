INSERT INTO event_files (path, etag, bytes, run_id, loaded_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (path) DO UPDATE SET
  etag = excluded.etag, bytes = excluded.bytes, run_id = excluded.run_id, loaded_at = excluded.loaded_at,
  -- A later request waits for another load.
  replay_requested_at =
    CASE WHEN event_files.replay_requested_at > excluded.loaded_at THEN event_files.replay_requested_at END
