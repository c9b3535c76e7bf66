-- Asks at $2 for the event files with the paths $1 to be loaded again.
UPDATE event_files SET replay_requested_at = $2 WHERE path = ANY ($1::TEXT[]) RETURNING path
