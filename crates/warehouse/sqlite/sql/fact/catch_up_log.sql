-- Has the log tell what the ledger does of publishes by programs that keep no log.
INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version
FROM published_days
WHERE TRUE
ON CONFLICT DO NOTHING
