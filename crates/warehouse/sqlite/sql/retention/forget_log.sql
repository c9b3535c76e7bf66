-- Removes the entries of the log until $1, except the newest of each day.
DELETE FROM day_publications
WHERE published_at <= $1
  AND EXISTS (
    SELECT 1
    FROM day_publications AS newer
    WHERE newer.activity_date = day_publications.activity_date
      AND newer.published_at > day_publications.published_at AND newer.published_at <= $1
  )
