-- What of a snapshot could not be read, and therefore is what it was in the snapshot
-- before: kept, because that one may arrive or change later. fields has a bit for each
-- unreadable field: 1 name, 2 country, 4 industry_tag, 8 last_contact_at. With 16 nothing
-- of the company is known: it is as it was there, and no member if it was none there.
CREATE TABLE crm_unreadable (
  company_id   TEXT COLLATE "C" NOT NULL,
  effective_on DATE             NOT NULL,
  fields       INTEGER          NOT NULL,
  PRIMARY KEY (company_id, effective_on)
);
CREATE INDEX crm_unreadable_by_day ON crm_unreadable (effective_on);

-- Whether companies that the snapshot's file does not name are as they were in the
-- snapshot before: a row that could not be read may have been theirs.
ALTER TABLE crm_snapshots ADD COLUMN keeps_unnamed BOOLEAN NOT NULL DEFAULT FALSE;
