-- The newest comparisons first, of those before $1, at most $2.
SELECT
  reconciliation_id, window_start AS "window_start: chrono::NaiveDate",
  window_end AS "window_end: chrono::NaiveDate", companies, sample_size, requested_by,
  started_at AS "started_at: chrono::DateTime<chrono::Utc>",
  ended_at AS "ended_at: chrono::DateTime<chrono::Utc>",
  compared, mismatches, invalid_records, awaiting_run, by_kind
FROM reconciliations
WHERE reconciliation_id < $1
ORDER BY reconciliation_id DESC
LIMIT $2
