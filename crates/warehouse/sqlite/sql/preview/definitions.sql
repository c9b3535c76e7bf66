-- The statements that created table $1 and its indexes, the table first.
SELECT sql AS "sql!"
FROM main.sqlite_schema
WHERE tbl_name = $1 AND sql IS NOT NULL
ORDER BY type DESC
