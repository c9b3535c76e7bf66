-- The log of day $1 before the time $2, the newest first, at most $3 entries, each with how many
-- rows on record it replaced or removed.
WITH
entries AS (
  SELECT published_at, run_id, row_count, checksum, checksum_version
  FROM day_publications
  WHERE activity_date = $1
  UNION
  -- Programs of the release before publish without a log.
  SELECT published_at, run_id, row_count, checksum, checksum_version
  FROM published_days
  WHERE activity_date = $1
),
page AS (
  SELECT * FROM entries WHERE published_at < $2 ORDER BY published_at DESC LIMIT $3
),
-- Of what was replaced since the oldest entry of the page, not of all that is kept.
replaced AS (
  SELECT replaced_at, COUNT(*) AS rows
  FROM fact_history
  WHERE activity_date = $1 AND replaced_at >= (SELECT MIN(published_at) FROM page)
  GROUP BY replaced_at
)
SELECT
  published_at AS "published_at!: chrono::DateTime<chrono::Utc>", CAST(run_id AS TEXT) AS "run_id!: String",
  row_count AS "row_count?: i64", checksum AS "checksum?: i64", checksum_version AS "checksum_version!: i32",
  COALESCE(replaced.rows, 0) AS "replaced_rows!: i64"
FROM page
LEFT JOIN replaced ON replaced.replaced_at = page.published_at
ORDER BY published_at DESC
