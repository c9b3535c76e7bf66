-- The request until $2 to fetch day $1 again is answered.
UPDATE usage_days SET replay_requested_at = NULL WHERE date = $1 AND replay_requested_at <= $2
