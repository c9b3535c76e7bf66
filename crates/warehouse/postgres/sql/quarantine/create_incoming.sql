-- The rejected rows of the delivery being loaded. One table per connection, empty between loads.
CREATE TEMPORARY TABLE IF NOT EXISTS quarantine_incoming (
  line   BIGINT NOT NULL,
  reason TEXT   NOT NULL,
  raw    TEXT   NOT NULL
) ON COMMIT DELETE ROWS;
