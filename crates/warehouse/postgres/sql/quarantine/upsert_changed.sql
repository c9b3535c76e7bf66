-- The rejected rows of the file $1. One that was in quarantine before, with equal
-- words, stays as the run that first met it put it there; only what an older version did
-- not note about it is added.
-- $2 run, $3 stage, $4 now, $5 the day that the file is about
INSERT INTO quarantine (
  origin, line, run_id, stage, kind, reason, raw, cause, business_date, quarantined_at, accepted_at,
  accepted_by, accepted_why, accepted_hash
)
SELECT DISTINCT ON (line)
  $1, line, $2::UUID, $3, kind, reason, raw, cause, $5::DATE, $4::TIMESTAMPTZ, accepted_at, accepted_by,
  accepted_why, CASE WHEN accepted_at IS NOT NULL THEN hashtextextended(reason || raw, 0) END
FROM rejected_incoming
ORDER BY line
ON CONFLICT (origin, line) DO UPDATE SET
  (run_id, stage, quarantined_at) = (
    SELECT met.run_id, met.stage, met.quarantined_at
    FROM (VALUES
      (TRUE, quarantine.run_id, quarantine.stage, quarantine.quarantined_at),
      (FALSE, excluded.run_id, excluded.stage, excluded.quarantined_at)
    ) AS met (is_known, run_id, stage, quarantined_at)
    WHERE met.is_known = ((quarantine.reason, quarantine.raw) = (excluded.reason, excluded.raw))
  ),
  kind = excluded.kind, reason = excluded.reason, raw = excluded.raw, cause = excluded.cause,
  business_date = excluded.business_date,
  accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by, accepted_why = excluded.accepted_why,
  accepted_hash = excluded.accepted_hash
WHERE
  (
    quarantine.reason, quarantine.raw, quarantine.kind, quarantine.cause, quarantine.business_date,
    quarantine.accepted_at
  ) IS DISTINCT FROM (
    excluded.reason, excluded.raw, excluded.kind, excluded.cause, excluded.business_date, excluded.accepted_at
  )
