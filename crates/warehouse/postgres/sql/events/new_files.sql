-- Positions from 0 of the files ($1 paths, $2 etags) whose content is not loaded.
SELECT delivered.position - 1 AS "position!"
FROM UNNEST($1::TEXT[], $2::TEXT[]) WITH ORDINALITY AS delivered (path, etag, position)
WHERE NOT EXISTS (
  SELECT FROM event_files AS loaded WHERE loaded.path = delivered.path AND loaded.etag = delivered.etag
)
ORDER BY delivered.position
