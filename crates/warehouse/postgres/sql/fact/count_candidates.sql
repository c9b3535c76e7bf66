-- What a build computed for the days $1..$2.
SELECT COUNT(*) AS "computed!", COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!"
FROM fact_candidates
WHERE activity_date BETWEEN $1 AND $2
