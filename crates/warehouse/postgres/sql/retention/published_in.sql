-- How many days of $1..$2 are published, and their rows.
SELECT COUNT(*) AS "days!", COALESCE(SUM(row_count), 0)::BIGINT AS "rows!"
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
