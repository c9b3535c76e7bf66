-- What an earlier load of the file $1 put into quarantine.
INSERT INTO quarantine_before (line, run_id, stage, reason, raw, quarantined_at)
SELECT line, run_id, stage, reason, raw, quarantined_at
FROM quarantine
WHERE origin = $1
