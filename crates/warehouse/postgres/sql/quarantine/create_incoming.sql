-- The rejected rows of the delivery being loaded. One table per connection, empty between loads.
-- Its name is not that of the version before, which a pooler's connection may still have, without
-- what has been added.
CREATE TEMPORARY TABLE IF NOT EXISTS rejected_incoming (
  line         BIGINT NOT NULL,
  kind         TEXT   NOT NULL,
  reason       TEXT   NOT NULL,
  raw          TEXT   NOT NULL,
  cause        TEXT   NOT NULL,
  accepted_at  TIMESTAMPTZ,
  accepted_by  TEXT,
  accepted_why TEXT
) ON COMMIT DELETE ROWS;
