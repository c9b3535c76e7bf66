-- The days of the build, and how many companies it knows.
SELECT activity_date, is_new, (SELECT COUNT(*) FROM known_companies) AS "companies!"
FROM fact_build_days
ORDER BY activity_date
