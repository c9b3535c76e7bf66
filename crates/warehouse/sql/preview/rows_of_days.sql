-- How many rows each published day from $1 to $2 has.
SELECT activity_date AS "day: chrono::NaiveDate", row_count
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
