-- How many days of $1..$2 are published, and their rows.
SELECT COUNT(*) AS "days!: i64", COALESCE(SUM(row_count), 0) AS "rows!: i64"
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
