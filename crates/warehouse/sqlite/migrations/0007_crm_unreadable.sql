-- What of a snapshot could not be read, and therefore is what it was in the snapshot
-- before: kept, because that one may arrive or change later. fields has a bit for each
-- unreadable field: 1 name, 2 country, 4 industry_tag, 8 last_contact_at. With 16 nothing
-- of the company is known: it is as it was there, and no member if it was none there.
CREATE TABLE crm_unreadable (
  effective_on DATE    NOT NULL,
  company_id   TEXT    NOT NULL,
  fields       INTEGER NOT NULL,
  PRIMARY KEY (effective_on, company_id)
) WITHOUT ROWID;

-- Whether companies that the snapshot's file does not name are as they were in the
-- snapshot before: a row that could not be read may have been theirs.
ALTER TABLE crm_snapshots ADD COLUMN keeps_unnamed BOOLEAN NOT NULL DEFAULT FALSE;

-- The same bits for the export being loaded.
ALTER TABLE crm_incoming ADD COLUMN unreadable INTEGER NOT NULL DEFAULT 0;
