-- The candidates of the one new day $1, which is not published yet, computed from
-- the usage of $2..$1; $2 is $1 - 13. One pass that aggregates those fourteen
-- days: half the work of windows, which pay off where several days share a pass.
WITH
-- The usage of the day, and of the 7 and 14 days that end on it.
measured AS (
  SELECT
    company_id,
    COALESCE(MAX(active_users) FILTER (WHERE date = $1), 0) AS active_users,
    COALESCE(MAX(events) FILTER (WHERE date = $1), 0) AS events,
    COALESCE(SUM(active_users) FILTER (WHERE date > $1 - 7), 0) AS active_users_7d,
    -- Not summed: fourteen days of events need not fit one integer.
    BOOL_OR(events > 0) AS is_active
  FROM stg_product_usage
  WHERE date BETWEEN $2 AND $1
  GROUP BY company_id
),
-- Which version describes a company on the day: its newest one by then, or else its first.
chosen AS (
  SELECT
    company_id,
    COALESCE(MAX(effective_from) FILTER (WHERE effective_from <= $1), MIN(effective_from)) AS effective_from
  FROM crm_company_versions
  GROUP BY company_id
),
-- A version describes the snapshots from effective_from to effective_to, so it
-- also says whether the company is in the one on the day.
described AS (
  SELECT
    company_id, version,
    version.effective_from <= snapshot_on
      AND (version.effective_to IS NULL OR version.effective_to >= snapshot_on) AS is_member
  FROM chosen
  JOIN crm_company_versions AS version USING (company_id, effective_from)
  CROSS JOIN (SELECT snapshot_on FROM fact_build_days WHERE activity_date = $1) AS day
)
INSERT INTO fact_candidates
SELECT (fact_candidate(
  company_id, $1, version,
  COALESCE(measured.active_users, 0), COALESCE(measured.events, 0), COALESCE(measured.active_users_7d, 0),
  measured.is_active, 'NEW'
)).*
FROM measured
FULL JOIN described USING (company_id)
WHERE measured.is_active IS NOT NULL OR described.is_member
