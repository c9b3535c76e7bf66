-- Asks at $2 for the days $1 of usage to be fetched again.
UPDATE usage_days SET replay_requested_at = $2 WHERE date = ANY ($1::DATE[]) RETURNING date
