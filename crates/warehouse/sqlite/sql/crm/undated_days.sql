-- For each file ($1, a JSON array of [path, etag]) the newest day for which its path was
-- loaded, if it was with this content.
SELECT (
  SELECT CASE WHEN loaded.etag = asked.value ->> 1 THEN loaded.effective_on END
  FROM crm_exports AS loaded
  WHERE loaded.path = asked.value ->> 0
  ORDER BY loaded.effective_on DESC
  LIMIT 1
) AS "effective_on: chrono::NaiveDate"
FROM json_each($1) AS asked
ORDER BY asked.key
