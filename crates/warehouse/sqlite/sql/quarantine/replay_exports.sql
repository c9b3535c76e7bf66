-- Asks at $2 for the exports in the JSON array $1 of [path, effective day] to be loaded again.
UPDATE crm_exports
SET replay_requested_at = $2
WHERE (path, effective_on) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))
RETURNING path AS "path!: String", effective_on AS "effective_on!: chrono::NaiveDate"
