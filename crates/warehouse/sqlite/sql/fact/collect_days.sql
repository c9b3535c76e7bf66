-- The days of a build: those of the window $1..$2 that are not yet published,
-- and published ones that have something dirty. $3: those to rebuild, a JSON array.
WITH RECURSIVE
-- Every day of the window.
window_days (activity_date) AS (
  SELECT date($1)
  UNION ALL
  SELECT date(activity_date, '+1 day') FROM window_days WHERE activity_date < $2
),
-- Dirty ranges, each once: many companies share one.
dirty_ranges AS (
  SELECT DISTINCT first_day, last_day FROM dirty_company_days
),
days AS (
  SELECT activity_date, TRUE AS is_new
  FROM window_days
  WHERE activity_date NOT IN (SELECT activity_date FROM published_days)
  UNION ALL
  SELECT activity_date, FALSE
  FROM published_days
  WHERE EXISTS (SELECT 1 FROM dirty_ranges WHERE activity_date BETWEEN first_day AND last_day)
)
INSERT INTO fact_build_days (activity_date, rolling_from, churn_from, snapshot_on, is_new, is_rebuilt)
SELECT
  activity_date,
  date(activity_date, '-6 days'),
  date(activity_date, '-13 days'),
  -- The newest snapshot on or before the day; before the first one, the first.
  COALESCE(
    (SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on <= activity_date),
    (SELECT MIN(effective_on) FROM crm_snapshots)
  ),
  is_new,
  activity_date IN (SELECT value FROM json_each($3))
FROM days
