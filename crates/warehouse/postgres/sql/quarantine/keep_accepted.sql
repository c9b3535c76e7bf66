-- Rejected rows of the file $1 with the words of rows that somebody has accepted are accepted
-- too: a record that came late may have moved them to another line. At most as many as were
-- accepted: whoever accepts three equal rows has not seen the ten thousand of tomorrow.
-- Returns how many, apart from rows that a later one supersedes, which count towards no limit.
WITH
-- The accepted rows, those with equal words numbered.
accepted AS (
  SELECT
    COALESCE(cause, reason) AS cause, raw, accepted_at, accepted_by, accepted_why,
    ROW_NUMBER() OVER (PARTITION BY COALESCE(cause, reason), raw ORDER BY line) AS number
  FROM quarantine
  WHERE origin = $1 AND accepted_at IS NOT NULL
),
-- The rejected rows with such words, numbered likewise.
rejected AS (
  SELECT line, cause, raw, ROW_NUMBER() OVER (PARTITION BY cause, raw ORDER BY line) AS number
  FROM rejected_incoming
  WHERE (cause, raw) IN (SELECT cause, raw FROM accepted)
),
kept AS (
  UPDATE rejected_incoming AS incoming
  SET accepted_at = accepted.accepted_at, accepted_by = accepted.accepted_by, accepted_why = accepted.accepted_why
  FROM rejected
  JOIN accepted USING (cause, raw, number)
  WHERE incoming.line = rejected.line AND (incoming.cause, incoming.raw) = (rejected.cause, rejected.raw)
  RETURNING kind
)
SELECT COUNT(*) AS "rows!" FROM kept WHERE kind <> 'SUPERSEDED'
