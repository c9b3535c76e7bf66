-- What a number can be traced back by: what was published before it and by which run, the
-- page of the source that its record stood on, and the rows that could not be read.

-- ---------------------------------------------------------------- what was published before

-- A company-day as it was until a publish replaced it or took it away. Kept for as long as
-- maintenance is told to.
CREATE TABLE fact_history (
  company_id              TEXT      NOT NULL,
  activity_date           DATE      NOT NULL,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMP,
  active_users            INTEGER   NOT NULL,
  events                  BIGINT    NOT NULL,
  "7d_active_users"       BIGINT    NOT NULL,
  is_churn_risk           BOOLEAN   NOT NULL,
  events_per_user         REAL,
  days_since_last_contact INTEGER,
  loaded_at               TIMESTAMP NOT NULL, -- when it began
  replaced_at             TIMESTAMP NOT NULL, -- the time of the publish that ended it
  replaced_by             TEXT      NOT NULL, -- the run that published then
  PRIMARY KEY (company_id, activity_date, replaced_at)
) WITHOUT ROWID;
CREATE INDEX fact_history_by_day ON fact_history (activity_date, company_id);
CREATE INDEX fact_history_by_replacement ON fact_history (replaced_at);

-- The columns of fact_rows, in their order, and how long they were true.
CREATE VIEW fact_rows_replaced AS
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at, replaced_at, replaced_by
FROM fact_history;

-- Every publish of every day, and every time that it was taken back. The newest entry of a
-- published day says what published_days says.
CREATE TABLE day_publications (
  activity_date    DATE      NOT NULL,
  published_at     TIMESTAMP NOT NULL,
  run_id           TEXT      NOT NULL,
  row_count        INTEGER, -- NULL: the day was taken back
  checksum         INTEGER,
  checksum_version INTEGER   NOT NULL DEFAULT 1,
  PRIMARY KEY (activity_date, published_at)
) WITHOUT ROWID;
CREATE INDEX day_publications_by_run ON day_publications (run_id);
INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version FROM published_days;

-- Of each publish: when the newest one was, so that no two have the same time; since when
-- every replaced row is on record, NULL for from the beginning; and up to which one that is
-- so. A program that keeps no history moves publish alone, by which it is noticed.
ALTER TABLE warehouse_versions ADD COLUMN newest_publish TIMESTAMP;
ALTER TABLE warehouse_versions ADD COLUMN history_since TIMESTAMP;
ALTER TABLE warehouse_versions ADD COLUMN logged_publish INTEGER NOT NULL DEFAULT 0;
UPDATE warehouse_versions
SET newest_publish = (SELECT MAX(published_at) FROM published_days),
    history_since = (SELECT MAX(published_at) FROM published_days),
    logged_publish = publish;

-- ---------------------------------------------------------------- where a record stood

-- The number of the last record of each page of the answer, in order, as a JSON array; NULL
-- where nobody noted it. Records are the lines of the landed file.
ALTER TABLE usage_days ADD COLUMN page_ends TEXT;

-- The entity tag of the file that was loaded: a later fetch replaces the file, also if it is then
-- refused. NULL if there was none, or nobody noted it.
ALTER TABLE usage_days ADD COLUMN landing_etag TEXT;

-- ---------------------------------------------------------------- rows that could not be read

ALTER TABLE quarantine ADD COLUMN kind TEXT NOT NULL DEFAULT 'UNKNOWN'; -- the reason's kind, for counting
-- The reason without where the row stands, by which an acceptance is carried over; NULL where
-- nobody noted it.
ALTER TABLE quarantine ADD COLUMN cause TEXT;
ALTER TABLE quarantine ADD COLUMN business_date DATE; -- the day that the delivery is about; NULL if of none, or unknown
ALTER TABLE quarantine ADD COLUMN accepted_at TIMESTAMP; -- since when somebody has declared that it stays as it is
ALTER TABLE quarantine ADD COLUMN accepted_by TEXT;
ALTER TABLE quarantine ADD COLUMN accepted_why TEXT;

-- The day of what is there already, where it is known for certain.
UPDATE quarantine SET business_date = substr(origin, 15, 10)
WHERE stage = 'act_call_product_api'
  AND origin GLOB 'product_usage/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/usage_*';
UPDATE quarantine
SET business_date = (
  SELECT effective_on FROM crm_exports WHERE path = origin ORDER BY loaded_at DESC, effective_on DESC LIMIT 1
)
WHERE stage = 'act_copy_crm_csv';

-- Counting what nobody has accepted.
CREATE INDEX quarantine_open ON quarantine (stage, kind) WHERE accepted_at IS NULL;
-- What loads and previews of a day look for.
CREATE INDEX quarantine_by_day ON quarantine (business_date);

-- What the file being loaded put there before also says what was accepted, by its words.
ALTER TABLE quarantine_before ADD COLUMN cause TEXT;
ALTER TABLE quarantine_before ADD COLUMN accepted_at TIMESTAMP;
ALTER TABLE quarantine_before ADD COLUMN accepted_by TEXT;
ALTER TABLE quarantine_before ADD COLUMN accepted_why TEXT;

-- Since when the file or day waits to be loaded again although it has not changed.
ALTER TABLE crm_exports ADD COLUMN replay_requested_at TIMESTAMP;
ALTER TABLE event_files ADD COLUMN replay_requested_at TIMESTAMP;
ALTER TABLE usage_days ADD COLUMN replay_requested_at TIMESTAMP;

-- ---------------------------------------------------------------- runs

-- Published days of a run, as a JSON array, of which every company is computed and written
-- anew, whether or not something changed. Programs that do not know the column rebuild none.
ALTER TABLE pipeline_runs ADD COLUMN rebuild_days TEXT NOT NULL DEFAULT '[]';

-- Which days of the present build are rebuilt, and the marks that have it compute them whole.
-- Such marks are of this build alone: the next one that starts discards them.
ALTER TABLE fact_build_days ADD COLUMN is_rebuilt BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE dirty_company_days ADD COLUMN is_rebuild BOOLEAN NOT NULL DEFAULT FALSE;
