-- Rows of one day $1 by company, read through the index by day: companies $2..$3
-- after ($4, $5), at most $6.
SELECT *
FROM fact_rows_by_day
WHERE activity_date = $1
  AND company_id BETWEEN $2 AND $3
  AND (company_id, activity_date) > ($4, $5)
ORDER BY company_id
LIMIT $6
