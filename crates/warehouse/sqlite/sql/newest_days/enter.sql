-- Enters day $1 into the newest days.
INSERT INTO newest_days (activity_date, published_at, row_count, checksum, checksum_version)
SELECT activity_date, published_at, row_count, checksum, checksum_version
FROM two_newest_days
WHERE activity_date = $1
