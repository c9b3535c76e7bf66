-- The days that are to be fetched again.
SELECT date AS "day: chrono::NaiveDate" FROM usage_days WHERE replay_requested_at IS NOT NULL ORDER BY date
