-- $6: the records of a day that is new, which need no counting; $7: where its pages end;
-- $8: the entity tag of its file.
INSERT INTO usage_days (date, records, landing_path, bytes, run_id, fetched_at, page_ends, landing_etag)
VALUES ($1, COALESCE($6, (SELECT COUNT(*) FROM stg_product_usage WHERE date = $1)), $2, $3, $4, $5, $7, $8)
ON CONFLICT (date) DO UPDATE SET
  records = excluded.records, landing_path = excluded.landing_path, bytes = excluded.bytes,
  run_id = excluded.run_id, fetched_at = excluded.fetched_at, page_ends = excluded.page_ends,
  landing_etag = excluded.landing_etag,
  -- A later request waits for another load.
  replay_requested_at =
    CASE WHEN usage_days.replay_requested_at > excluded.fetched_at THEN usage_days.replay_requested_at END
