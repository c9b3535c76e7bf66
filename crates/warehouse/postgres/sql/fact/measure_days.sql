-- What each day would look like once published, beside what its inputs call for.
-- $1..$2: the usage that the build's days read. $3: how many days before a day
-- its volume is compared with.
WITH
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
span AS (
  SELECT MIN(snapshot_on) AS first, MAX(snapshot_on) AS last FROM snapshots
),
-- The companies of each snapshot, counted from the inputs alone. Versions begin
-- and end on few days, so they are counted once by those, not for each snapshot.
member_counts AS (
  SELECT snapshot_on, SUM(versions.companies)::BIGINT AS companies
  FROM snapshots
  JOIN (
    SELECT effective_from, effective_to, COUNT(*) AS companies
    FROM crm_company_versions
    GROUP BY effective_from, effective_to
  ) AS versions
    ON versions.effective_from <= snapshot_on
    AND (versions.effective_to IS NULL OR versions.effective_to >= snapshot_on)
  GROUP BY snapshot_on
),
-- When a company is in no snapshot: after the day `after` and before the day
-- `before`. That is from a version to its next one, if it has any ...
gaps AS (
  SELECT
    company_id,
    effective_to AS after,
    COALESCE(LEAD(effective_from) OVER (PARTITION BY company_id ORDER BY effective_from), 'infinity') AS before
  FROM crm_company_versions
  UNION ALL
  -- ... and until its first.
  SELECT known.company_id, '-infinity', COALESCE(MIN(version.effective_from), 'infinity')
  FROM known_companies AS known
  LEFT JOIN crm_company_versions AS version USING (company_id)
  GROUP BY known.company_id
),
-- ... as far as the build's days can be in it. Without any snapshot that is always.
outsiders AS (
  SELECT company_id, after, before
  FROM span
  JOIN gaps ON before > after + 1 AND COALESCE(before > span.first AND after < span.last, TRUE)
),
-- Their usage records while they are outside, and the days on which each is the newest of the
-- 14 days: no two records of a company are that on the same day. Each company is looked up once:
-- OFFSET 0 rules out plans that read the usage of all companies for the sake of those few.
outside_records AS (
  SELECT after, before, date AS first_day, LEAST(date + 13, next_date - 1) AS last_day, COUNT(*) AS companies
  FROM outsiders AS outsider
  CROSS JOIN LATERAL (
    SELECT usage.date, LEAD(usage.date) OVER (ORDER BY usage.date) AS next_date
    FROM stg_product_usage AS usage
    WHERE usage.company_id = outsider.company_id
      AND usage.date > outsider.after - 13 AND usage.date < outsider.before
      AND usage.date BETWEEN $1 AND $2
    OFFSET 0
  ) AS record
  GROUP BY after, before, first_day, last_day
),
-- How many companies have a row on a day without being in its snapshot.
outsider_counts AS (
  SELECT day.activity_date, SUM(record.companies)::BIGINT AS companies
  FROM outside_records AS record
  JOIN fact_build_days AS day
    ON day.activity_date BETWEEN record.first_day AND record.last_day
    AND (day.snapshot_on IS NULL OR (day.snapshot_on > record.after AND day.snapshot_on < record.before))
  GROUP BY day.activity_date
)
SELECT
  day.activity_date AS "day!",
  -- Every row of a rebuilt day is a candidate; what the ledger says of it may be wrong.
  CASE
    WHEN day.is_rebuilt THEN COALESCE(delta.all_rows, 0)
    ELSE COALESCE(ledger.row_count, 0) + COALESCE(delta.rows, 0)
  END AS "rows!",
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
