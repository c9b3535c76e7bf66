-- The embedded engine's schema. Days are TEXT 'YYYY-MM-DD', points in time TEXT
-- RFC 3339 in UTC; both sort as text. Points in time that only this database
-- compares (leases, due times) are INTEGER milliseconds on its own clock.

-- ---------------------------------------------------------------- runs

CREATE TABLE pipeline_runs (
  run_id           TEXT      NOT NULL PRIMARY KEY, -- UUIDv7: sorts by creation
  pipeline         TEXT      NOT NULL,
  window_start     DATE      NOT NULL,
  window_end       DATE      NOT NULL,
  run_trigger      TEXT      NOT NULL,
  state            TEXT      NOT NULL,
  lease_holder     TEXT,
  lease_epoch      INTEGER   NOT NULL DEFAULT 0,
  lease_expires_ms INTEGER   NOT NULL DEFAULT 0,
  created_at       TIMESTAMP NOT NULL,
  started_at       TIMESTAMP,
  ended_at         TIMESTAMP,
  traceparent      TEXT
);
CREATE INDEX pipeline_runs_by_window ON pipeline_runs (pipeline, window_end, window_start);
CREATE INDEX pipeline_runs_active ON pipeline_runs (pipeline, run_id) WHERE state IN ('QUEUED', 'RUNNING');

CREATE TABLE pipeline_run_stages (
  run_id         TEXT      NOT NULL REFERENCES pipeline_runs (run_id),
  stage          TEXT      NOT NULL,
  position       INTEGER   NOT NULL,
  service        TEXT      NOT NULL,
  depends_on     TEXT      NOT NULL, -- a JSON array of stage names
  state          TEXT      NOT NULL,
  attempt        INTEGER   NOT NULL DEFAULT 0,
  failures       INTEGER   NOT NULL DEFAULT 0,
  started_at     TIMESTAMP,
  ended_at       TIMESTAMP,
  rows_read      INTEGER   NOT NULL DEFAULT 0,
  rows_written   INTEGER   NOT NULL DEFAULT 0,
  rows_unchanged INTEGER   NOT NULL DEFAULT 0,
  rows_duplicate INTEGER   NOT NULL DEFAULT 0,
  rows_rejected  INTEGER   NOT NULL DEFAULT 0,
  rows_removed   INTEGER   NOT NULL DEFAULT 0,
  bytes_read     INTEGER   NOT NULL DEFAULT 0,
  remarks        TEXT      NOT NULL DEFAULT '[]', -- a JSON array of texts
  error_code     TEXT,
  error_message  TEXT,
  PRIMARY KEY (run_id, stage)
) WITHOUT ROWID;

-- ---------------------------------------------------------------- alerts

CREATE TABLE alert_outbox (
  alert_key     TEXT      NOT NULL PRIMARY KEY,
  pipeline      TEXT      NOT NULL,
  stage         TEXT      NOT NULL,
  attempt       INTEGER   NOT NULL,
  error_code    TEXT      NOT NULL,
  error_message TEXT      NOT NULL,
  run_id        TEXT      NOT NULL,
  business_date DATE      NOT NULL,
  failed_at     TIMESTAMP NOT NULL,
  tries         INTEGER   NOT NULL DEFAULT 0,
  due_ms        INTEGER   NOT NULL DEFAULT 0,
  settled_at    TIMESTAMP,
  last_problem  TEXT
);
CREATE INDEX alert_outbox_due ON alert_outbox (due_ms) WHERE settled_at IS NULL;

CREATE TABLE alert_deliveries (
  alert_key    TEXT      NOT NULL,
  channel      TEXT      NOT NULL,
  delivered_at TIMESTAMP NOT NULL,
  PRIMARY KEY (alert_key, channel)
) WITHOUT ROWID;

-- ---------------------------------------------------------------- quarantine

CREATE TABLE quarantine (
  origin         TEXT      NOT NULL, -- the file, relative to its storage root
  line           INTEGER   NOT NULL, -- from 1
  run_id         TEXT      NOT NULL,
  stage          TEXT      NOT NULL,
  reason         TEXT      NOT NULL,
  raw            TEXT      NOT NULL,
  quarantined_at TIMESTAMP NOT NULL,
  PRIMARY KEY (origin, line)
) WITHOUT ROWID;

-- What the file being loaded put there before. Empty between loads.
CREATE TABLE quarantine_before (
  line           INTEGER   NOT NULL PRIMARY KEY,
  run_id         TEXT      NOT NULL,
  stage          TEXT      NOT NULL,
  reason         TEXT      NOT NULL,
  raw            TEXT      NOT NULL,
  quarantined_at TIMESTAMP NOT NULL
);

-- ---------------------------------------------------------------- CRM

-- Every export file that was loaded, for skipping it the next time.
CREATE TABLE crm_exports (
  path         TEXT      NOT NULL,
  effective_on DATE      NOT NULL,
  etag         TEXT      NOT NULL,
  bytes        INTEGER   NOT NULL,
  companies    INTEGER   NOT NULL,
  run_id       TEXT      NOT NULL,
  loaded_at    TIMESTAMP NOT NULL,
  PRIMARY KEY (path, effective_on)
) WITHOUT ROWID;

-- The days on which a snapshot took effect, and the file that counts for each.
CREATE TABLE crm_snapshots (
  effective_on DATE    NOT NULL PRIMARY KEY,
  path         TEXT    NOT NULL,
  companies    INTEGER NOT NULL
);

-- Which values a company had in which snapshots: present with these values in
-- every snapshot from effective_from to effective_to, both included;
-- effective_to is NULL where that reaches the newest snapshot. Intervals of a
-- company never overlap, and adjacent ones differ, so any order of arrival
-- leaves the same rows.
CREATE TABLE crm_company_versions (
  company_id      TEXT      NOT NULL,
  effective_from  DATE      NOT NULL,
  effective_to    DATE,
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMP,
  PRIMARY KEY (company_id, effective_from)
) WITHOUT ROWID;

-- The seed's staging table: one row per company the CRM ever had, its newest version.
CREATE VIEW stg_crm_companies AS
SELECT company_id, name, country, industry_tag, last_contact_at
FROM crm_company_versions AS version
WHERE effective_from = (
  SELECT MAX(effective_from) FROM crm_company_versions WHERE company_id = version.company_id
);

-- The export being loaded, all its accepted rows in file order. Empty between loads.
CREATE TABLE crm_incoming (
  line            INTEGER NOT NULL PRIMARY KEY,
  company_id      TEXT    NOT NULL,
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMP
);
CREATE INDEX crm_incoming_by_company ON crm_incoming (company_id, line);

-- The companies whose state on the export's day changes. Empty between loads.
CREATE TABLE crm_changes (
  company_id TEXT    NOT NULL PRIMARY KEY,
  is_present BOOLEAN NOT NULL -- whether the export has the company
) WITHOUT ROWID;

-- ---------------------------------------------------------------- usage

-- Every day the product API was asked for.
CREATE TABLE usage_days (
  date         DATE      NOT NULL PRIMARY KEY,
  records      INTEGER   NOT NULL, -- staged records of the day
  landing_path TEXT,
  bytes        INTEGER   NOT NULL,
  run_id       TEXT      NOT NULL,
  fetched_at   TIMESTAMP NOT NULL
);

CREATE TABLE stg_product_usage (
  company_id   TEXT    NOT NULL,
  date         DATE    NOT NULL,
  active_users INTEGER NOT NULL CHECK (active_users >= 0),
  events       BIGINT  NOT NULL CHECK (events >= 0),
  PRIMARY KEY (company_id, date)
) WITHOUT ROWID;
CREATE INDEX stg_product_usage_by_date ON stg_product_usage (date);

-- The day being loaded, all its accepted records in file order. Empty between loads.
CREATE TABLE usage_incoming (
  line         INTEGER NOT NULL PRIMARY KEY,
  company_id   TEXT    NOT NULL,
  active_users INTEGER NOT NULL,
  events       BIGINT  NOT NULL
);
CREATE INDEX usage_incoming_by_company ON usage_incoming (company_id, line);

-- The companies whose record of the day changes. Empty between loads.
CREATE TABLE usage_changes (
  company_id TEXT    NOT NULL PRIMARY KEY,
  is_present BOOLEAN NOT NULL -- whether the API still returns a record
) WITHOUT ROWID;

-- ---------------------------------------------------------------- fact

-- Every company that either source ever named.
CREATE TABLE known_companies (
  company_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Published company-days that an input changed since they were computed.
-- Cleared only by the transaction that publishes them.
CREATE TABLE dirty_company_days (
  change_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  company_id TEXT    NOT NULL,
  first_day  DATE    NOT NULL,
  last_day   DATE    NOT NULL
);
CREATE INDEX dirty_company_days_by_company ON dirty_company_days (company_id, first_day, last_day);

-- Counts the changes to staging and the publishes, so that candidates built
-- from an older state are never published.
CREATE TABLE warehouse_versions (
  id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  staging INTEGER NOT NULL DEFAULT 0,
  publish INTEGER NOT NULL DEFAULT 0
);
INSERT INTO warehouse_versions (id) VALUES (1);

-- What the candidates were built from: one build at a time.
CREATE TABLE fact_build (
  id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  run_id            TEXT    NOT NULL,
  staging_version   INTEGER NOT NULL,
  publish_version   INTEGER NOT NULL,
  last_dirty_change INTEGER NOT NULL -- dirty entries up to here are in the candidates
);

-- The days of the build, with what computing them reads.
CREATE TABLE fact_build_days (
  activity_date DATE    NOT NULL PRIMARY KEY,
  rolling_from  DATE    NOT NULL, -- activity_date - 6
  churn_from    DATE    NOT NULL, -- activity_date - 13
  snapshot_on   DATE,             -- the CRM snapshot on the day; NULL without any
  is_new        BOOLEAN NOT NULL  -- not yet published: every company is computed
);

-- Computed company-days that no reader sees.
CREATE TABLE fact_candidates (
  company_id              TEXT    NOT NULL,
  activity_date           DATE    NOT NULL,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMP,
  active_users            INTEGER NOT NULL,
  events                  BIGINT  NOT NULL,
  "7d_active_users"       BIGINT  NOT NULL,
  is_churn_risk           BOOLEAN NOT NULL,
  events_per_user         REAL,
  days_since_last_contact INTEGER,
  change                  TEXT    NOT NULL, -- NEW, CHANGED, EQUAL or GONE against what is published
  PRIMARY KEY (company_id, activity_date)
) WITHOUT ROWID;

CREATE TABLE fact_company_activity (
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
  loaded_at               TIMESTAMP NOT NULL,
  PRIMARY KEY (company_id, activity_date)
) WITHOUT ROWID;
CREATE INDEX fact_company_activity_by_date ON fact_company_activity (activity_date);

-- The ledger of published days.
CREATE TABLE published_days (
  activity_date DATE      NOT NULL PRIMARY KEY,
  run_id        TEXT      NOT NULL,
  published_at  TIMESTAMP NOT NULL,
  row_count     INTEGER   NOT NULL
);
