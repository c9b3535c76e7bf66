-- The rejected rows of the file $1. One that was in quarantine before, with equal
-- words, stays as the run that first met it put it there.
-- $2 run, $3 stage, $4 now
INSERT INTO quarantine (origin, line, run_id, stage, reason, raw, quarantined_at)
SELECT DISTINCT ON (line) $1, line, $2::UUID, $3, reason, raw, $4::TIMESTAMPTZ
FROM quarantine_incoming
ORDER BY line
ON CONFLICT (origin, line) DO UPDATE SET
  run_id = excluded.run_id, stage = excluded.stage, reason = excluded.reason, raw = excluded.raw,
  quarantined_at = excluded.quarantined_at
WHERE (quarantine.reason, quarantine.raw) <> (excluded.reason, excluded.raw)
