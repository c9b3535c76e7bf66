-- Has the log tell of days that such programs took back: as of $2, when run $1 publishes.
INSERT INTO day_publications (activity_date, published_at, run_id)
SELECT DISTINCT activity_date, $2, $1
FROM day_publications
WHERE activity_date NOT IN (SELECT activity_date FROM published_days)
ON CONFLICT DO NOTHING
