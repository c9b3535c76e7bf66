-- Asks at $2 for the event files with the paths in the JSON array $1 to be loaded again.
UPDATE event_files SET replay_requested_at = $2
WHERE path IN (SELECT value FROM json_each($1))
RETURNING path AS "path!: String"
