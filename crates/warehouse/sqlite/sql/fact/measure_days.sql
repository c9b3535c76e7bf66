-- What each day would look like once published, beside what its inputs call for.
WITH RECURSIVE
-- How far back computing a day reads: 14 days with the day itself.
back (days) AS (
  SELECT 0
  UNION ALL
  SELECT days + 1 FROM back WHERE days < 13
),
-- The days whose usage each day reads. Usage is looked up by them, one by one.
read_days AS MATERIALIZED (
  SELECT activity_date, date(activity_date, '-' || days || ' days') AS day
  FROM fact_build_days
  CROSS JOIN back
),
-- Rows that the candidates add to and take from each day.
delta AS (
  SELECT
    activity_date,
    COUNT(*) FILTER (WHERE change = 'NEW') - COUNT(*) FILTER (WHERE change = 'GONE') AS rows
  FROM fact_candidates
  GROUP BY activity_date
)
SELECT
  day.activity_date AS "day!: chrono::NaiveDate",
  COALESCE(ledger.row_count, 0) + COALESCE(delta.rows, 0) AS "rows!: i64",
  -- Counted from the inputs alone: members of the snapshot, and companies
  -- outside it with a usage record in the 14 days.
  (
    SELECT COUNT(*) FROM crm_company_versions
    WHERE effective_from <= day.snapshot_on AND (effective_to IS NULL OR effective_to >= day.snapshot_on)
  ) + (
    SELECT COUNT(*) FROM known_companies AS known
    WHERE NOT EXISTS (
      SELECT 1 FROM crm_company_versions AS member
      WHERE member.company_id = known.company_id
        AND member.effective_from <= day.snapshot_on
        AND (member.effective_to IS NULL OR member.effective_to >= day.snapshot_on)
    ) AND EXISTS (
      SELECT 1
      FROM read_days AS read
      CROSS JOIN stg_product_usage AS usage ON usage.date = read.day AND usage.company_id = known.company_id
      WHERE read.activity_date = day.activity_date
    )
  ) AS "expected_rows!: i64",
  COALESCE(source.records, 0) AS "source_rows!: i64"
FROM fact_build_days AS day
LEFT JOIN published_days AS ledger USING (activity_date)
LEFT JOIN delta USING (activity_date)
LEFT JOIN usage_days AS source ON source.date = day.activity_date
ORDER BY day.activity_date
