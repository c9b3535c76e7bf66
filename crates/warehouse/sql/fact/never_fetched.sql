-- The first day that the build would publish anew although the product API was never asked for it.
SELECT MIN(activity_date) AS "day: chrono::NaiveDate"
FROM fact_build_days
WHERE is_new AND NOT EXISTS (SELECT 1 FROM usage_days WHERE date = activity_date)
