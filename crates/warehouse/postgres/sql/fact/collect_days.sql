-- The days of a build: those of the window $1..$2 that are not yet published,
-- and published ones that have something dirty. $3: those to rebuild.
WITH
-- Dirty ranges, each once: many companies share one.
dirty_ranges AS (
  SELECT DISTINCT first_day, last_day FROM dirty_company_days
),
days AS (
  SELECT day::DATE AS activity_date, TRUE AS is_new
  FROM generate_series($1::DATE, $2::DATE, INTERVAL '1 day') AS window_days (day)
  WHERE NOT EXISTS (SELECT 1 FROM published_days WHERE activity_date = day::DATE)
  UNION ALL
  SELECT activity_date, FALSE
  FROM published_days
  WHERE EXISTS (SELECT 1 FROM dirty_ranges WHERE activity_date BETWEEN first_day AND last_day)
)
INSERT INTO fact_build_days (activity_date, churn_from, snapshot_on, is_new, is_rebuilt)
SELECT
  activity_date,
  activity_date - 13,
  -- The newest snapshot on or before the day; before the first one, the first.
  COALESCE(
    (SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on <= activity_date),
    (SELECT MIN(effective_on) FROM crm_snapshots)
  ),
  is_new,
  activity_date = ANY ($3)
FROM days
