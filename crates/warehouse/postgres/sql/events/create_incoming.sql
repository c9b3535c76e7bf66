-- Tables of one connection, empty between loads: they need no lock and leave
-- nothing behind, whoever else loads and wherever a load breaks off.

-- The file being loaded, all its accepted records in file order.
CREATE TEMPORARY TABLE IF NOT EXISTS event_incoming (
  line       BIGINT           NOT NULL,
  company_id TEXT COLLATE "C" NOT NULL,
  date       DATE             NOT NULL,
  event_id   TEXT COLLATE "C" NOT NULL,
  events     BIGINT           NOT NULL
) ON COMMIT DELETE ROWS;

-- The records of the file that are not exactly what is stored.
CREATE TEMPORARY TABLE IF NOT EXISTS event_changes (
  company_id TEXT COLLATE "C" NOT NULL,
  date       DATE             NOT NULL,
  event_id   TEXT COLLATE "C" NOT NULL,
  events     BIGINT           NOT NULL,
  change     TEXT             NOT NULL -- WRITTEN, MOVED or OVERRULED, see find_changes.sql
) ON COMMIT DELETE ROWS;

-- The new sums of the company-days with changes; they may be too large for a BIGINT.
CREATE TEMPORARY TABLE IF NOT EXISTS event_sums (
  company_id  TEXT COLLATE "C" NOT NULL,
  date        DATE             NOT NULL,
  events      NUMERIC          NOT NULL,
  event_count BIGINT           NOT NULL
) ON COMMIT DELETE ROWS;
