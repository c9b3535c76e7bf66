-- The days of the build, with the totals that they have by now.
SELECT
  day.activity_date AS "day: chrono::NaiveDate", day.is_new AS "is_new: bool",
  totals.active_users AS "active_users?: i64", totals.events AS "events?: i64",
  totals.churn_risks AS "churn_risks?: i64", totals.active_companies AS "active_companies?: i64"
FROM fact_build_days AS day
LEFT JOIN known_day_totals AS totals ON totals.activity_date = day.activity_date
