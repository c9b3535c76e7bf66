-- The number of rows of the day $1, and their checksum by the version $2.
SELECT COUNT(*) AS "rows!", COALESCE(bit_xor(published_row_hash($2, fact)), 0) AS "checksum!"
FROM fact_company_activity AS fact
WHERE activity_date = $1
