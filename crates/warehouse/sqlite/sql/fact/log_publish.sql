-- Enters the days that run $1 has just entered into the ledger, at $2, into the log as well.
INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version
FROM published_days
WHERE published_at = $2 AND run_id = $1
