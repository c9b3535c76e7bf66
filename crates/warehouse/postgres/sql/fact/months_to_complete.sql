-- The months whose candidates have a table of their own, with their new days. Published
-- days may be among the others: their candidates are few.
SELECT month AS "month!", ARRAY_AGG(activity_date) FILTER (WHERE is_new) AS days
FROM new_months()
JOIN fact_build_days ON activity_date >= month AND activity_date < month + INTERVAL '1 month'
WHERE has_partition('fact_candidates', candidate_month(month))
GROUP BY month
ORDER BY month
