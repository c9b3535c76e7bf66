-- Rejected rows of the file $1 with the words of a row that somebody has accepted are
-- accepted too: a record that came late may have moved them to another line. How many,
-- apart from rows that a later one supersedes, which count towards no limit.
WITH
-- One acceptance for all rows with the same words.
accepted AS (
  SELECT DISTINCT ON (reason, raw) reason, raw, accepted_at, accepted_by, accepted_why
  FROM quarantine
  WHERE origin = $1 AND accepted_at IS NOT NULL
  ORDER BY reason, raw, accepted_at
),
kept AS (
  UPDATE rejected_incoming AS incoming
  SET accepted_at = accepted.accepted_at, accepted_by = accepted.accepted_by, accepted_why = accepted.accepted_why
  FROM accepted
  WHERE (incoming.reason, incoming.raw) = (accepted.reason, accepted.raw)
  RETURNING kind
)
SELECT COUNT(*) AS "rows!" FROM kept WHERE kind <> 'SUPERSEDED'
