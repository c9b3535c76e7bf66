INSERT INTO reconciliations (
  window_start, window_end, companies, sample_size, requested_by, started_at, ended_at,
  compared, mismatches, invalid_records, awaiting_run, by_kind
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING reconciliation_id
