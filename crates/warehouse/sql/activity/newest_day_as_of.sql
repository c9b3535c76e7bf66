-- The newest day that was published at $1.
SELECT activity_date AS "activity_date: chrono::NaiveDate"
FROM day_publications AS entry
WHERE row_count IS NOT NULL
  AND published_at = (
    SELECT MAX(published_at)
    FROM day_publications AS earlier
    WHERE earlier.activity_date = entry.activity_date AND earlier.published_at <= $1
  )
ORDER BY activity_date DESC
LIMIT 1
