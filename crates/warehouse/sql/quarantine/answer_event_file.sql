-- The request until $2 to load event file $1 again is answered.
UPDATE event_files SET replay_requested_at = NULL WHERE path = $1 AND replay_requested_at <= $2
