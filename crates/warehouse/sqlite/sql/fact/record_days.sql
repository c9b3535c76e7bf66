-- The ledger: new days, and published ones in which something changed.
-- $1 run, $2 now, $3 by what the checksums of days change: a JSON object by day,
-- $4 the version of the checksums of new days
WITH
changed AS (
  SELECT
    activity_date,
    COUNT(*) FILTER (WHERE change = 'NEW') - COUNT(*) FILTER (WHERE change = 'GONE') AS rows
  FROM fact_candidates
  WHERE change <> 'EQUAL'
  GROUP BY activity_date
),
checksums AS (
  SELECT key AS activity_date, value AS checksum FROM json_each($3)
)
INSERT INTO published_days (activity_date, run_id, published_at, row_count, checksum, checksum_version)
SELECT day.activity_date, $1, $2, COALESCE(changed.rows, 0), COALESCE(checksums.checksum, 0), $4
FROM fact_build_days AS day
LEFT JOIN changed USING (activity_date)
LEFT JOIN checksums USING (activity_date)
WHERE day.is_new OR changed.activity_date IS NOT NULL
ON CONFLICT (activity_date) DO UPDATE SET
  run_id = excluded.run_id,
  published_at = excluded.published_at,
  row_count = published_days.row_count + excluded.row_count,
  -- The exclusive or, for which SQLite has no operator: the bits of either without those of both.
  checksum = (published_days.checksum | excluded.checksum) - (published_days.checksum & excluded.checksum)
