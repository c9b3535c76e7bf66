-- The newest publication among the days $1..$2.
SELECT activity_date, run_id::TEXT AS "run_id!", published_at, row_count, checksum
FROM published_days
WHERE activity_date BETWEEN $1 AND $2
ORDER BY published_at DESC, activity_date DESC
LIMIT 1
