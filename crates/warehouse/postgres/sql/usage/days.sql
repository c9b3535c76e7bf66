-- The days from $1 to $2 that were fetched before.
SELECT date AS day, records, run_id, fetched_at
FROM usage_days
WHERE date BETWEEN $1 AND $2
ORDER BY date
