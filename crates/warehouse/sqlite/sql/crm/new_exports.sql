-- Positions from 0 of the exports ($1, a JSON array of [path, effective day, etag]) whose content is not loaded, or is to
-- be loaded again.
SELECT CAST(delivered.key AS INTEGER) AS "position!: i64"
FROM json_each($1) AS delivered
WHERE NOT EXISTS (
  SELECT 1 FROM crm_exports AS loaded
  WHERE loaded.path = delivered.value ->> 0
    AND loaded.effective_on = delivered.value ->> 1
    AND loaded.etag = delivered.value ->> 2
    AND loaded.replay_requested_at IS NULL
)
ORDER BY delivered.key
