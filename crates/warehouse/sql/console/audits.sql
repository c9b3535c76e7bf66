-- What the audits of run $1 found.
SELECT audited_at AS "audited_at: chrono::DateTime<chrono::Utc>", results, days
FROM run_audits
WHERE run_id = $1
