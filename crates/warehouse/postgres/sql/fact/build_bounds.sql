-- The first and last day of the build, and from where they read; NULL without any day.
SELECT MIN(churn_from) AS read_from, MIN(activity_date) AS first_day, MAX(activity_date) AS last_day
FROM fact_build_days
