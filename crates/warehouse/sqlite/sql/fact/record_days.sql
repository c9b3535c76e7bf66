-- The ledger: new days, and published ones in which something changed.
-- $1 run, $2 now, $3 what changes in days: a JSON object by day, for each how many rows it
-- gains and by what its checksum changes, $4 the version of the checksums of new days
WITH
changes AS (
  SELECT key AS activity_date, value ->> 0 AS rows, value ->> 1 AS checksum
  FROM json_each($3)
)
INSERT INTO published_days (activity_date, run_id, published_at, row_count, checksum, checksum_version)
SELECT day.activity_date, $1, $2, COALESCE(changes.rows, 0), COALESCE(changes.checksum, 0), $4
FROM fact_build_days AS day
LEFT JOIN changes USING (activity_date)
WHERE day.is_new OR changes.activity_date IS NOT NULL
ON CONFLICT (activity_date) DO UPDATE SET
  run_id = excluded.run_id,
  published_at = excluded.published_at,
  row_count = published_days.row_count + excluded.row_count,
  -- The exclusive or, for which SQLite has no operator: the bits of either without those of both.
  checksum = (published_days.checksum | excluded.checksum) - (published_days.checksum & excluded.checksum)
