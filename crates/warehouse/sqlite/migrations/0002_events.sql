-- Single events, for those who have them: an optional source.

-- Every event file that was loaded, for skipping it the next time.
CREATE TABLE event_files (
  path      TEXT      NOT NULL PRIMARY KEY,
  etag      TEXT      NOT NULL,
  bytes     INTEGER   NOT NULL,
  run_id    TEXT      NOT NULL,
  loaded_at TIMESTAMP NOT NULL
) WITHOUT ROWID;

-- One row per event: what the file whose path sorts last says of it.
CREATE TABLE fact_events (
  company_id  TEXT   NOT NULL,
  date        DATE   NOT NULL,
  event_id    TEXT   NOT NULL,
  events      BIGINT NOT NULL CHECK (events >= 0),
  source_path TEXT   NOT NULL, -- that file, relative to its storage root
  PRIMARY KEY (company_id, date, event_id)
) WITHOUT ROWID;

-- The sums of fact_events, written in the transactions that write it.
CREATE TABLE agg_company_daily_events (
  company_id  TEXT    NOT NULL,
  date        DATE    NOT NULL,
  events      BIGINT  NOT NULL,
  event_count INTEGER NOT NULL, -- rows of fact_events
  PRIMARY KEY (company_id, date)
) WITHOUT ROWID;
-- Dashboards look at the last days of every company.
CREATE INDEX agg_company_daily_events_by_date ON agg_company_daily_events (date);

-- The file being loaded, all its accepted records in file order. Empty between loads.
CREATE TABLE event_incoming (
  line       INTEGER NOT NULL PRIMARY KEY,
  company_id TEXT    NOT NULL,
  date       DATE    NOT NULL,
  event_id   TEXT    NOT NULL,
  events     BIGINT  NOT NULL
);
CREATE INDEX event_incoming_by_key ON event_incoming (company_id, date, event_id, line);

-- The records of the file that are not exactly what is stored. Empty between loads.
CREATE TABLE event_changes (
  company_id TEXT   NOT NULL,
  date       DATE   NOT NULL,
  event_id   TEXT   NOT NULL,
  events     BIGINT NOT NULL,
  change     TEXT   NOT NULL, -- WRITTEN, MOVED or OVERRULED, see sql/events/find_changes.sql
  PRIMARY KEY (company_id, date, event_id)
) WITHOUT ROWID;

-- The new sums of the company-days with changes. Empty between loads. A sum is
-- kept in two parts, for one that does not fit an INTEGER is an error of SQLite's
-- that names no company.
CREATE TABLE event_sums (
  company_id  TEXT    NOT NULL,
  date        DATE    NOT NULL,
  events_high INTEGER NOT NULL, -- the sum of events / 2^32
  events_low  INTEGER NOT NULL, -- the sum of the remainders
  event_count INTEGER NOT NULL,
  PRIMARY KEY (company_id, date)
) WITHOUT ROWID;
