-- Keeps what the audits of a run found, in place of what they found before. $1 run, $2 now,
-- $3 the results, $4 the measured days
INSERT INTO run_audits (run_id, audited_at, results, days)
VALUES ($1, $2, $3, $4)
ON CONFLICT (run_id) DO UPDATE SET
  audited_at = excluded.audited_at, results = excluded.results, days = excluded.days
