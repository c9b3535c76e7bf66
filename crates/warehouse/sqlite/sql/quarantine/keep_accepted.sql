-- Rejected rows of the file $1 with the words of rows that somebody has accepted are accepted
-- too: a record that came late may have moved them to another line. At most as many as were
-- accepted: whoever accepts three equal rows has not seen the ten thousand of tomorrow.
WITH
-- The accepted rows, those with equal words numbered.
accepted AS (
  SELECT
    cause, raw, accepted_at, accepted_by, accepted_why,
    ROW_NUMBER() OVER (PARTITION BY cause, raw ORDER BY line) AS number
  FROM quarantine_before
  WHERE accepted_at IS NOT NULL
),
-- The rejected rows with such words, numbered likewise.
rejected AS (
  SELECT line, cause, raw, ROW_NUMBER() OVER (PARTITION BY cause, raw ORDER BY line) AS number
  FROM quarantine
  WHERE origin = $1 AND (cause, raw) IN (SELECT cause, raw FROM accepted)
)
UPDATE quarantine
SET accepted_at = accepted.accepted_at, accepted_by = accepted.accepted_by, accepted_why = accepted.accepted_why
FROM rejected
JOIN accepted USING (cause, raw, number)
WHERE quarantine.origin = $1 AND quarantine.line = rejected.line
