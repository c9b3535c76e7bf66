-- Rows by company, then day. $1..$2 days, $3..$4 companies, after ($5, $6), at most $7.
SELECT *
FROM fact_rows
WHERE activity_date BETWEEN $1 AND $2
  AND company_id BETWEEN $3 AND $4
  AND (company_id, activity_date) > ($5, $6)
ORDER BY company_id, activity_date
LIMIT $7
