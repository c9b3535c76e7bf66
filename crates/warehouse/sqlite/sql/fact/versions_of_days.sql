-- The version of the checksum of each day of the build that is published.
SELECT activity_date AS "day: chrono::NaiveDate", checksum_version AS "version: i32"
FROM fact_build_days
JOIN published_days USING (activity_date)
