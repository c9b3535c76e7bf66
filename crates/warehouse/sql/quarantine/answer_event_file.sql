-- The request to load event file $1 with content $2 again is answered: what was loaded of
-- it stays.
UPDATE event_files SET replay_requested_at = NULL WHERE path = $1 AND etag = $2
