-- Asks at $2 for the days of usage in the JSON array $1 to be fetched again.
UPDATE usage_days SET replay_requested_at = $2
WHERE date IN (SELECT value FROM json_each($1))
RETURNING date AS "date!: chrono::NaiveDate"
