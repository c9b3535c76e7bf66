-- Positions from 0 of the files ($1, a JSON array of [path, etag]) whose content is not loaded, or is to be
-- loaded again.
SELECT CAST(delivered.key AS INTEGER) AS "position!: i64"
FROM json_each($1) AS delivered
WHERE NOT EXISTS (
  SELECT 1 FROM event_files AS loaded
  WHERE loaded.path = delivered.value ->> 0
    AND loaded.etag = delivered.value ->> 1
    AND loaded.replay_requested_at IS NULL
)
ORDER BY delivered.key
