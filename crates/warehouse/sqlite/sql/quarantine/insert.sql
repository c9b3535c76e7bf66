-- $1: a JSON array of [line, kind, reason, raw, cause]; $2 origin, $3 run, $4 stage, $5 now, $6
-- the day that the delivery is about.
INSERT OR REPLACE INTO quarantine (
  origin, line, run_id, stage, kind, reason, raw, cause, quarantined_at, business_date
)
SELECT $2, value ->> 0, $3, $4, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $5, $6
FROM json_each($1)
