-- The ledger: new days, and published ones in which something changed.
-- $1 run, $2 now; $3 days in which something changed, $4 by how many rows, $5 the
-- checksum by what, $6 the version of the checksums of new days
INSERT INTO published_days AS published (activity_date, run_id, published_at, row_count, checksum, checksum_version)
SELECT day.activity_date, $1, $2, COALESCE(change.rows, 0), COALESCE(change.checksum, 0), $6
FROM fact_build_days AS day
LEFT JOIN unnest($3::DATE[], $4::BIGINT[], $5::BIGINT[]) AS change (activity_date, rows, checksum)
  USING (activity_date)
WHERE day.is_new OR change.activity_date IS NOT NULL
ON CONFLICT (activity_date) DO UPDATE SET
  run_id = excluded.run_id,
  published_at = excluded.published_at,
  row_count = published.row_count + excluded.row_count,
  checksum = published.checksum # excluded.checksum
