-- How many usage records the published days from $1 up to before $2 have, in order.
SELECT records
FROM usage_days
JOIN published_days ON activity_date = date
WHERE date >= $1 AND date < $2
ORDER BY records
