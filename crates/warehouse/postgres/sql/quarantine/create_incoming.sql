-- The rejected rows of the delivery being loaded. One table per connection, empty between loads.
CREATE TEMPORARY TABLE IF NOT EXISTS quarantine_incoming (
  line         BIGINT NOT NULL,
  kind         TEXT   NOT NULL,
  reason       TEXT   NOT NULL,
  raw          TEXT   NOT NULL,
  accepted_at  TIMESTAMPTZ,
  accepted_by  TEXT,
  accepted_why TEXT
) ON COMMIT DELETE ROWS;
