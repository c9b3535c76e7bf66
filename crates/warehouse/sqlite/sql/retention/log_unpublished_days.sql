-- Logs that run $1 takes back the days $3..$4 at $2.
INSERT INTO day_publications (activity_date, published_at, run_id)
SELECT activity_date, $2, $1
FROM published_days
WHERE activity_date BETWEEN $3 AND $4
