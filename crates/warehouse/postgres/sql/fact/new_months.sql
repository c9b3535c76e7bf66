-- The months of the build's days that have no partition yet. Published days may
-- be among them: those that had no rows.
SELECT month AS "month!"
FROM (SELECT DISTINCT date_trunc('month', activity_date)::DATE AS month FROM fact_build_days) AS months
WHERE NOT has_partition('fact_company_activity', 'fact_company_activity' || to_char(month, '"_y"YYYY"m"MM'))
ORDER BY month
