-- How many candidates the companies after $1 up to $2 have, and how many of them
-- equal what is published.
SELECT COUNT(*) AS "computed!: i64", COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!: i64"
FROM fact_candidates
WHERE company_id > $1 AND company_id <= $2
