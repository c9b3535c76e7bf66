-- For each file ($1 paths, $2 etags) the newest day for which its path was loaded, if it
-- was with this content.
SELECT (
  SELECT CASE WHEN loaded.etag = asked.etag THEN loaded.effective_on END
  FROM crm_exports AS loaded
  WHERE loaded.path = asked.path
  ORDER BY loaded.effective_on DESC
  LIMIT 1
) AS effective_on
FROM UNNEST($1::TEXT[], $2::TEXT[]) WITH ORDINALITY AS asked (path, etag, position)
ORDER BY asked.position
