-- Positions from 0 of the exports ($1 paths, $2 effective days, $3 etags) whose content is not loaded, or is to
-- be loaded again.
SELECT delivered.position - 1 AS "position!"
FROM UNNEST($1::TEXT[], $2::DATE[], $3::TEXT[]) WITH ORDINALITY
  AS delivered (path, effective_on, etag, position)
WHERE NOT EXISTS (
  SELECT FROM crm_exports AS loaded
  WHERE loaded.path = delivered.path
    AND loaded.effective_on = delivered.effective_on
    AND loaded.etag = delivered.etag
    AND loaded.replay_requested_at IS NULL
)
ORDER BY delivered.position
