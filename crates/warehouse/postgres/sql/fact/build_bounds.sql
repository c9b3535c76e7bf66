-- The first and last day of the build, and from where they read, NULL without any
-- day; and how many of them are new.
SELECT
  MIN(churn_from) AS read_from, MIN(activity_date) AS first_day, MAX(activity_date) AS last_day,
  COUNT(*) FILTER (WHERE is_new) AS "new_days!"
FROM fact_build_days
