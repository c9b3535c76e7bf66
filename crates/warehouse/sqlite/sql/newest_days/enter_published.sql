-- Enters into the newest days those that the build publishes for the first time, and has those that
-- are there tell what the ledger now says of them. Their rows are then still to follow.
INSERT INTO newest_days (activity_date, published_at, row_count, checksum, checksum_version)
SELECT activity_date, published_at, row_count, checksum, checksum_version
FROM two_newest_days
WHERE activity_date IN (
  SELECT activity_date FROM newest_days
  UNION ALL
  SELECT activity_date FROM fact_build_days WHERE is_new
)
ON CONFLICT (activity_date) DO UPDATE SET
  published_at = excluded.published_at,
  row_count = excluded.row_count,
  checksum = excluded.checksum,
  checksum_version = excluded.checksum_version
