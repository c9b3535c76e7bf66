-- From where the build reads, and its last day; NULL without any day.
SELECT MIN(churn_from) AS "read_from: chrono::NaiveDate", MAX(activity_date) AS "last_day: chrono::NaiveDate"
FROM fact_build_days
