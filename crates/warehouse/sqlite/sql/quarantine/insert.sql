-- $1: a JSON array of [line, reason, raw]; $2 origin, $3 run, $4 stage, $5 now.
INSERT OR REPLACE INTO quarantine (origin, line, run_id, stage, reason, raw, quarantined_at)
SELECT $2, value ->> 0, $3, $4, value ->> 1, value ->> 2, $5
FROM json_each($1)
