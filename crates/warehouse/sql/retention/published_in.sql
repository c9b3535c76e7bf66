-- How many of the days from $1 to $2 are published, and how many rows they have.
SELECT COUNT(*) AS "days!: i64", CAST(COALESCE(SUM(row_count), 0) AS BIGINT) AS "rows!: i64"
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
