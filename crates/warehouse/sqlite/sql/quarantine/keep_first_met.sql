-- A row of the file $1 that was in quarantine before, with equal words, stays as
-- the run that first met it put it there.
UPDATE quarantine
SET run_id = before.run_id, stage = before.stage, quarantined_at = before.quarantined_at
FROM quarantine_before AS before
WHERE quarantine.origin = $1
  AND before.line = quarantine.line
  AND (before.reason, before.raw) = (quarantine.reason, quarantine.raw)
