-- What a console asks: how a run's stages came to their end, what its audits found, and what
-- comparisons with the product API said. Programs that do not know these tables write nothing
-- to them, so what they did is missing there.

-- ---------------------------------------------------------------- how the pipeline is doing

-- Attempts of stages that did not succeed: they failed, or were cut off.
CREATE TABLE pipeline_stage_attempts (
  run_id          TEXT      NOT NULL,
  stage           TEXT      NOT NULL,
  attempt         INTEGER   NOT NULL,
  started_at      TIMESTAMP NOT NULL,
  ended_at        TIMESTAMP NOT NULL,
  error_code      TEXT      NOT NULL,
  error_message   TEXT      NOT NULL,
  is_interruption BOOLEAN   NOT NULL,
  PRIMARY KEY (run_id, stage, attempt),
  FOREIGN KEY (run_id, stage) REFERENCES pipeline_run_stages (run_id, stage) ON DELETE CASCADE
) WITHOUT ROWID;

-- What the audits of a run made of its data, each time that they last judged it. Nobody looks
-- into the two lists here, so they stay as one.
CREATE TABLE run_audits (
  run_id     TEXT      NOT NULL PRIMARY KEY REFERENCES pipeline_runs (run_id) ON DELETE CASCADE,
  audited_at TIMESTAMP NOT NULL,
  results    TEXT      NOT NULL, -- a JSON array, by audit
  days       TEXT      NOT NULL  -- a JSON array of what was measured, by day
);

-- Comparisons with the product API that came to an end.
CREATE TABLE reconciliations (
  reconciliation_id INTEGER   NOT NULL PRIMARY KEY,
  window_start      DATE      NOT NULL,
  window_end        DATE      NOT NULL,
  companies         INTEGER   NOT NULL, -- how many were named; 0: all
  sample_size       INTEGER   NOT NULL, -- the most per day; 0: all
  requested_by      TEXT      NOT NULL,
  started_at        TIMESTAMP NOT NULL,
  ended_at          TIMESTAMP NOT NULL,
  compared          INTEGER   NOT NULL,
  mismatches        INTEGER   NOT NULL,
  invalid_records   INTEGER   NOT NULL,
  awaiting_run      INTEGER   NOT NULL,
  by_kind           TEXT      NOT NULL  -- a JSON array of [kind, count], the kind as in the contract
);

-- Alerts are listed newest first, or by their run.
CREATE INDEX alert_outbox_newest ON alert_outbox (failed_at, alert_key);
CREATE INDEX alert_outbox_by_run ON alert_outbox (run_id);

-- ---------------------------------------------------------------- totals of days

-- A published day over all its companies, summed up by the publish that wrote its rows. They
-- are the totals of the rows that have this number and this checksum: a program that knows no
-- totals publishes the day anew and leaves them, and by that they are told from current ones.
CREATE TABLE day_totals (
  activity_date    DATE    NOT NULL PRIMARY KEY REFERENCES published_days (activity_date) ON DELETE CASCADE,
  row_count        INTEGER NOT NULL,
  checksum         INTEGER NOT NULL,
  checksum_version INTEGER NOT NULL,
  active_users     BIGINT  NOT NULL,
  events           BIGINT  NOT NULL,
  churn_risks      BIGINT  NOT NULL, -- companies at risk of churn
  active_companies BIGINT  NOT NULL  -- companies with events on the day
);

-- The totals of the rows that the ledger has.
CREATE VIEW known_day_totals AS
SELECT activity_date, totals.active_users, totals.events, totals.churn_risks, totals.active_companies
FROM day_totals AS totals
JOIN published_days AS ledger USING (activity_date, row_count, checksum, checksum_version);

-- ---------------------------------------------------------------- the newest days, side by side

-- The fact is in the order of companies, so the rows of one day lie far apart: to read 100,000 of
-- them takes seconds. Those of the two newest published days, of which most questions are and
-- which tell what has changed, are also here in the order of days, kept by the publishes that
-- change them. As with totals, they count only while the ledger has the same rows.
CREATE TABLE newest_days (
  activity_date    DATE      NOT NULL PRIMARY KEY REFERENCES published_days (activity_date) ON DELETE CASCADE,
  published_at     TIMESTAMP NOT NULL, -- also of equal rows that were published again
  row_count        INTEGER   NOT NULL,
  checksum         INTEGER   NOT NULL,
  checksum_version INTEGER   NOT NULL
);

CREATE TABLE newest_day_rows (
  activity_date           DATE      NOT NULL REFERENCES newest_days (activity_date) ON DELETE CASCADE,
  company_id              TEXT      NOT NULL,
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
  PRIMARY KEY (activity_date, company_id)
) WITHOUT ROWID;

-- The days that are kept here.
CREATE VIEW two_newest_days AS
SELECT activity_date, published_at, row_count, checksum, checksum_version
FROM published_days
ORDER BY activity_date DESC
LIMIT 2;

-- Those whose rows here are the ones that the ledger has.
CREATE VIEW known_newest_days AS
SELECT activity_date
FROM newest_days
JOIN published_days USING (activity_date, published_at, row_count, checksum, checksum_version);

-- Rows of published days, for reading many of one day: those that are known here, all others from
-- the fact. The columns are those of fact_rows.
CREATE VIEW fact_rows_of_days AS
SELECT
  company_id, known.activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at
FROM known_newest_days AS known
CROSS JOIN newest_day_rows AS fact ON fact.activity_date = known.activity_date
UNION ALL
SELECT
  company_id, ledger.activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at
FROM published_days AS ledger
CROSS JOIN fact_company_activity AS fact INDEXED BY fact_company_activity_by_date
  ON fact.activity_date = ledger.activity_date
WHERE NOT EXISTS (SELECT 1 FROM known_newest_days AS known WHERE known.activity_date = ledger.activity_date);
