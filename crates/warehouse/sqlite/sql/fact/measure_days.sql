-- What each day would look like once published, beside what its inputs call for.
WITH RECURSIVE
-- How far back computing a day reads: 14 days with the day itself.
back (days) AS (
  SELECT 0
  UNION ALL
  SELECT days + 1 FROM back WHERE days < 13
),
-- The days whose usage each day reads.
read_days AS MATERIALIZED (
  SELECT activity_date, date(activity_date, '-' || days || ' days') AS day
  FROM fact_build_days
  CROSS JOIN back
),
-- Rows that the candidates add to and take from each day.
delta AS (
  SELECT
    activity_date,
    COUNT(*) FILTER (WHERE change = 'NEW') - COUNT(*) FILTER (WHERE change = 'GONE') AS rows,
    COUNT(*) FILTER (WHERE change <> 'GONE') AS all_rows
  FROM fact_candidates
  GROUP BY activity_date
),
-- The snapshots of the build's days: many days may share one.
snapshots AS MATERIALIZED (
  SELECT DISTINCT snapshot_on FROM fact_build_days WHERE snapshot_on IS NOT NULL
),
-- The companies of each snapshot, counted from the inputs alone. Versions begin and end
-- on few days, so they are counted once by those, not for each snapshot.
member_counts AS (
  SELECT snapshot_on, SUM(versions.companies) AS companies
  FROM (
    SELECT effective_from, effective_to, COUNT(*) AS companies
    FROM crm_company_versions
    GROUP BY effective_from, effective_to
  ) AS versions
  JOIN snapshots
    ON versions.effective_from <= snapshot_on
    AND (versions.effective_to IS NULL OR versions.effective_to >= snapshot_on)
  GROUP BY snapshot_on
),
-- When a company is in no snapshot: after the day `after` and before the day `before`.
-- That is from a version to its next one, if it has any ...
gaps AS (
  SELECT
    company_id,
    effective_to AS after,
    COALESCE(LEAD(effective_from) OVER (PARTITION BY company_id ORDER BY effective_from), '9999-99-99') AS before
  FROM crm_company_versions
  UNION ALL
  -- ... and until its first.
  SELECT known.company_id, '', COALESCE(MIN(version.effective_from), '9999-99-99')
  FROM known_companies AS known
  LEFT JOIN crm_company_versions AS version USING (company_id)
  GROUP BY known.company_id
),
-- The companies outside each snapshot, few as a rule ...
outsiders AS MATERIALIZED (
  SELECT snapshot_on, company_id
  FROM gaps
  JOIN snapshots ON snapshot_on > after AND snapshot_on < before
  UNION ALL
  SELECT NULL, company_id
  FROM known_companies
  WHERE EXISTS (SELECT 1 FROM fact_build_days WHERE snapshot_on IS NULL)
),
-- ... that have a usage record in the 14 days. Looked up one by one.
outsider_counts AS (
  SELECT day.activity_date, COUNT(*) AS companies
  FROM fact_build_days AS day
  JOIN outsiders AS outsider ON outsider.snapshot_on IS day.snapshot_on
  WHERE EXISTS (
    SELECT 1
    FROM read_days AS read
    CROSS JOIN stg_product_usage AS usage ON usage.date = read.day AND usage.company_id = outsider.company_id
    WHERE read.activity_date = day.activity_date
  )
  GROUP BY day.activity_date
)
SELECT
  day.activity_date AS "day!: chrono::NaiveDate",
  -- Every row of a rebuilt day is a candidate; what the ledger says of it may be wrong.
  CASE
    WHEN day.is_rebuilt THEN COALESCE(delta.all_rows, 0)
    ELSE COALESCE(ledger.row_count, 0) + COALESCE(delta.rows, 0)
  END AS "rows!: i64",
  COALESCE(member_counts.companies, 0) + COALESCE(outsider_counts.companies, 0) AS "expected_rows!: i64",
  COALESCE(source.records, 0) AS "source_rows!: i64"
FROM fact_build_days AS day
LEFT JOIN published_days AS ledger USING (activity_date)
LEFT JOIN delta USING (activity_date)
LEFT JOIN member_counts ON member_counts.snapshot_on = day.snapshot_on
LEFT JOIN outsider_counts USING (activity_date)
LEFT JOIN usage_days AS source ON source.date = day.activity_date
ORDER BY day.activity_date
