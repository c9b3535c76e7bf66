-- Positions from 0 of the files ($1 paths, $2 etags) whose content is not loaded, or is to be
-- loaded again.
SELECT delivered.position - 1 AS "position!"
FROM UNNEST($1::TEXT[], $2::TEXT[]) WITH ORDINALITY AS delivered (path, etag, position)
WHERE NOT EXISTS (
  SELECT FROM event_files AS loaded
  WHERE loaded.path = delivered.path AND loaded.etag = delivered.etag AND loaded.replay_requested_at IS NULL
)
ORDER BY delivered.position
