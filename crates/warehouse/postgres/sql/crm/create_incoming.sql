-- Tables of one connection, empty between loads: they need no lock and leave
-- nothing behind, whoever else loads and wherever a load breaks off.

-- The export being loaded, all its rows of known companies in file order.
CREATE TEMPORARY TABLE IF NOT EXISTS crm_incoming (
  line            BIGINT           NOT NULL,
  company_id      TEXT COLLATE "C" NOT NULL,
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMPTZ,
  unreadable      INTEGER          NOT NULL DEFAULT 0 -- bits as in crm_unreadable
) ON COMMIT DELETE ROWS;

-- The companies whose state on the export's day changes, with what the export says of
-- them: what follows reads these few, and not the export again.
CREATE TEMPORARY TABLE IF NOT EXISTS crm_changes (
  company_id      TEXT COLLATE "C" NOT NULL,
  is_present      BOOLEAN          NOT NULL, -- whether the export has the company
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMPTZ,
  unreadable      INTEGER
) ON COMMIT DELETE ROWS;
