-- The files that are to be loaded again.
SELECT path FROM event_files WHERE replay_requested_at IS NOT NULL ORDER BY path
