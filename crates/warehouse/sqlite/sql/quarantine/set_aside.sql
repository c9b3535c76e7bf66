-- What an earlier load of the file $1 put into quarantine.
INSERT INTO quarantine_before (
  line, run_id, stage, reason, raw, cause, quarantined_at, accepted_at, accepted_by, accepted_why
)
SELECT
  line, run_id, stage, reason, raw, COALESCE(cause, reason), quarantined_at, accepted_at, accepted_by,
  accepted_why
FROM quarantine
WHERE origin = $1
