-- Rejected rows of the file $1 with the words of a row that somebody has accepted are
-- accepted too: a record that came late may have moved them to another line.
UPDATE quarantine
SET accepted_at = before.accepted_at, accepted_by = before.accepted_by, accepted_why = before.accepted_why
FROM quarantine_before AS before
WHERE quarantine.origin = $1
  AND before.accepted_at IS NOT NULL
  AND (before.reason, before.raw) = (quarantine.reason, quarantine.raw)
