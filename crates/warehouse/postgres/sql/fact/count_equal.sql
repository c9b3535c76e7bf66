-- How many candidates of the published days in $1..$2 equal what is published.
SELECT COUNT(*) AS "equal!"
FROM fact_candidates
WHERE change = 'EQUAL' AND activity_date BETWEEN $1 AND $2
