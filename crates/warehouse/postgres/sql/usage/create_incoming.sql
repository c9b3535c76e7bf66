-- Tables of one connection, empty between loads: they need no lock and leave
-- nothing behind, whoever else loads and wherever a load breaks off.

-- The day being loaded, all its records of known companies in file order.
CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (
  line          BIGINT           NOT NULL,
  company_id    TEXT COLLATE "C" NOT NULL,
  active_users  INTEGER          NOT NULL,
  events        BIGINT           NOT NULL,
  is_unreadable BOOLEAN          NOT NULL -- nothing but the company could be read: the numbers mean nothing
) ON COMMIT DELETE ROWS;

-- The companies whose record of the day changes.
CREATE TEMPORARY TABLE IF NOT EXISTS usage_changes (
  company_id TEXT COLLATE "C" NOT NULL,
  is_present BOOLEAN          NOT NULL -- whether the API still returns a record
) ON COMMIT DELETE ROWS;
