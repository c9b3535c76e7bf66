-- What each day would look like once published, beside what its inputs call for.
-- $1..$2: the usage that the build's days read. $3: how many days before a day
-- its volume is compared with.
WITH
-- Rows that the candidates add to and take from each day.
delta AS (
  SELECT
    activity_date,
    COUNT(*) FILTER (WHERE change = 'NEW') - COUNT(*) FILTER (WHERE change = 'GONE') AS rows
  FROM fact_candidates
  GROUP BY activity_date
),
-- The snapshots of the build's days: many days share one. NULL where there is none.
snapshots AS MATERIALIZED (
  SELECT DISTINCT snapshot_on FROM fact_build_days
),
-- The companies of each snapshot, counted from the inputs alone ...
members AS MATERIALIZED (
  SELECT snapshot_on, version.company_id
  FROM snapshots
  JOIN crm_company_versions AS version
    ON version.effective_from <= snapshot_on
    AND (version.effective_to IS NULL OR version.effective_to >= snapshot_on)
),
member_counts AS (
  SELECT snapshot_on, COUNT(*) AS companies FROM members GROUP BY snapshot_on
),
-- ... and those outside it, few as a rule ...
outsiders AS MATERIALIZED (
  SELECT snapshot_on, known.company_id
  FROM snapshots
  CROSS JOIN known_companies AS known
  WHERE NOT EXISTS (
    SELECT 1 FROM members AS member
    WHERE member.snapshot_on = snapshots.snapshot_on AND member.company_id = known.company_id
  )
),
-- ... that have a usage record in the 14 days. Looked up one by one: any other
-- plan reads the usage of all companies for the sake of those few.
outsider_counts AS (
  SELECT day.activity_date, COUNT(*) AS companies
  FROM fact_build_days AS day
  JOIN outsiders AS outsider ON outsider.snapshot_on IS NOT DISTINCT FROM day.snapshot_on
  CROSS JOIN LATERAL (
    SELECT 1 FROM stg_product_usage AS usage
    WHERE usage.company_id = outsider.company_id
      AND usage.date BETWEEN day.churn_from AND day.activity_date
      AND usage.date BETWEEN $1 AND $2
    LIMIT 1
  ) AS record
  GROUP BY day.activity_date
)
SELECT
  day.activity_date AS "day!",
  COALESCE(ledger.row_count, 0) + COALESCE(delta.rows, 0) AS "rows!",
  COALESCE(member_counts.companies, 0) + COALESCE(outsider_counts.companies, 0) AS "expected_rows!",
  COALESCE(source.records, 0) AS "source_rows!",
  -- Of the published days shortly before.
  (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.records)
    FROM usage_days AS recent
    JOIN published_days ON published_days.activity_date = recent.date
    WHERE recent.date >= day.activity_date - $3::INTEGER AND recent.date < day.activity_date
  ) AS recent_median
FROM fact_build_days AS day
LEFT JOIN published_days AS ledger USING (activity_date)
LEFT JOIN delta USING (activity_date)
LEFT JOIN member_counts USING (snapshot_on)
LEFT JOIN outsider_counts USING (activity_date)
LEFT JOIN usage_days AS source ON source.date = day.activity_date
ORDER BY day.activity_date
