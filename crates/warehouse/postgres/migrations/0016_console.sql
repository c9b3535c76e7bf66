-- What a console asks: how a run's stages came to their end, what its audits found, and what
-- comparisons with the product API said. Programs that do not know these tables write nothing
-- to them, so what they did is missing there.

-- ---------------------------------------------------------------- how the pipeline is doing

-- Attempts of stages that did not succeed: they failed, or were cut off.
CREATE TABLE pipeline_stage_attempts (
  run_id          UUID             NOT NULL,
  stage           TEXT COLLATE "C" NOT NULL,
  attempt         INTEGER          NOT NULL,
  started_at      TIMESTAMPTZ      NOT NULL,
  ended_at        TIMESTAMPTZ      NOT NULL,
  error_code      TEXT             NOT NULL,
  error_message   TEXT             NOT NULL,
  is_interruption BOOLEAN          NOT NULL,
  PRIMARY KEY (run_id, stage, attempt),
  FOREIGN KEY (run_id, stage) REFERENCES pipeline_run_stages (run_id, stage) ON DELETE CASCADE
);

-- What the audits of a run made of its data, each time that they last judged it. Nobody looks
-- into the two lists here, so they stay as one.
CREATE TABLE run_audits (
  run_id     UUID        NOT NULL PRIMARY KEY REFERENCES pipeline_runs (run_id) ON DELETE CASCADE,
  audited_at TIMESTAMPTZ NOT NULL,
  results    TEXT        NOT NULL, -- a JSON array, by audit
  days       TEXT        NOT NULL  -- a JSON array of what was measured, by day
);

-- Comparisons with the product API that came to an end.
CREATE TABLE reconciliations (
  reconciliation_id BIGINT      NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  window_start      DATE        NOT NULL,
  window_end        DATE        NOT NULL,
  companies         BIGINT      NOT NULL, -- how many were named; 0: all
  sample_size       BIGINT      NOT NULL, -- the most per day; 0: all
  requested_by      TEXT        NOT NULL,
  started_at        TIMESTAMPTZ NOT NULL,
  ended_at          TIMESTAMPTZ NOT NULL,
  compared          BIGINT      NOT NULL,
  mismatches        BIGINT      NOT NULL,
  invalid_records   BIGINT      NOT NULL,
  awaiting_run      BIGINT      NOT NULL,
  by_kind           TEXT        NOT NULL  -- a JSON array of [kind, count], the kind as in the contract
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
  row_count        BIGINT  NOT NULL,
  checksum         BIGINT  NOT NULL,
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

-- What the candidates of new days add up to, where they are counted before their publish; NULL
-- where they are not, or a number does not fit.
ALTER TABLE fact_build_days
  ADD COLUMN active_users     BIGINT,
  ADD COLUMN events           BIGINT,
  ADD COLUMN churn_risks      BIGINT,
  ADD COLUMN active_companies BIGINT;

-- ---------------------------------------------------------------- rights

-- Gives the roles that exist their rights. A later migration that adds a table, a column
-- that is updated, or a function, or that replaces one of the owner's functions (which
-- then runs with its caller's rights again), replaces this and calls it at its end.
CREATE OR REPLACE PROCEDURE grant_rights()
LANGUAGE plpgsql AS $$
DECLARE
  schema TEXT := current_schema();
  -- What runs with the owner's rights.
  as_owner REGPROCEDURE[] := ARRAY[
    'ensure_month_partitions(TEXT, DATE, DATE)',
    'create_candidate_months()',
    'index_candidate_month(DATE)',
    'drop_candidate_months()',
    'publish_new_month(DATE, TIMESTAMPTZ)',
    'analyze_if_grown(TEXT, DATE, DATE, BIGINT)',
    'analyze_build()',
    'record_published_days(UUID, TIMESTAMPTZ, DATE[], BIGINT[], BIGINT[], INTEGER)',
    'remove_unpublished_days(UUID, DATE, DATE)',
    'hold_back_new_runs()',
    'forget_months_before(DATE, DATE)',
    'keep_replaced_rows(UUID, TIMESTAMPTZ, DATE, DATE)',
    'log_publish(UUID, TIMESTAMPTZ)',
    'remove_unpublished_days(UUID, TIMESTAMPTZ, DATE, DATE)',
    'forget_history_before(TIMESTAMPTZ)'
  ];
  -- What runs with its caller's rights.
  as_caller REGPROCEDURE[] := ARRAY[
    'has_partition(TEXT, TEXT)',
    'month_partition(TEXT, DATE)',
    'new_months()',
    'candidate_month(DATE)',
    'old_partitions(DATE, DATE)',
    'publish_changed_rows(TIMESTAMPTZ)'
  ];
  one REGPROCEDURE;
BEGIN
  FOREACH one IN ARRAY as_owner LOOP
    -- Whatever the caller's search_path and temporary tables, names mean the schema's own.
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', one, schema);
  END LOOP;
  FOREACH one IN ARRAY as_owner || as_caller LOOP
    -- Everybody may execute a new function unless told otherwise.
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one);
  END LOOP;

  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_reader') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO activity_reader', schema);
    GRANT SELECT ON
      fact_company_activity, published_days, fact_events, agg_company_daily_events,
      fact_history, day_publications, warehouse_versions, known_day_totals,
      -- Whether it can read this schema at all.
      _sqlx_migrations, schema_compatibility
    TO activity_reader;
  END IF;

  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_writer') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO activity_writer', schema);
    FOREACH one IN ARRAY as_owner || as_caller LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO activity_writer', one);
    END LOOP;
    GRANT SELECT ON
      _sqlx_migrations, schema_compatibility, published_days, pipeline_runs, pipeline_run_stages, alert_outbox,
      alert_deliveries, audit_actions, audit_ends, quarantine, crm_exports, crm_snapshots, crm_company_versions,
      crm_unreadable, stg_crm_companies, usage_days, stg_product_usage, known_companies, dirty_company_days,
      warehouse_versions, fact_build, fact_build_days, fact_candidates, fact_company_activity, event_files,
      fact_events, agg_company_daily_events, fact_history, day_publications,
      pipeline_stage_attempts, run_audits, reconciliations, day_totals, known_day_totals
    TO activity_writer;
    -- Only ever added to.
    GRANT INSERT ON audit_actions, audit_ends, alert_deliveries, known_companies, pipeline_stage_attempts
    TO activity_writer;
    -- Until maintenance forgets them, they stay as they are.
    GRANT INSERT, DELETE ON reconciliations TO activity_writer;
    -- A run that audits again replaces what it found.
    GRANT INSERT, UPDATE (audited_at, results, days) ON run_audits TO activity_writer;
    -- Not which days a run is for, and who asked for it.
    GRANT INSERT,
      UPDATE (state, lease_holder, lease_epoch, lease_expires_at, started_at, ended_at, traceparent)
    ON pipeline_runs TO activity_writer;
    -- Not what an alert tells of.
    GRANT INSERT, UPDATE (tries, due_at, settled_at, last_problem) ON alert_outbox TO activity_writer;
    -- What has been loaded is recorded, and never removed by services alone.
    GRANT INSERT, UPDATE ON
      pipeline_run_stages, crm_exports, crm_snapshots, usage_days, event_files, fact_events, agg_company_daily_events
    TO activity_writer;
    GRANT UPDATE ON warehouse_versions TO activity_writer;
    GRANT UPDATE (rows, checksum, checksum_version, active_users, events, churn_risks, active_companies)
    ON fact_build_days TO activity_writer;
    -- They go with their days.
    GRANT INSERT, UPDATE ON day_totals TO activity_writer;
    GRANT INSERT, UPDATE, DELETE ON
      quarantine, crm_company_versions, crm_unreadable, stg_product_usage, dirty_company_days, fact_build,
      fact_company_activity
    TO activity_writer;
    GRANT INSERT, DELETE, TRUNCATE ON fact_build_days, fact_candidates TO activity_writer;
    -- Loads and previews keep tables of their connection. Everybody may, unless an
    -- administrator has taken that away, who then has to give it to the role.
    BEGIN
      EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO activity_writer', current_database());
    EXCEPTION
      WHEN insufficient_privilege THEN NULL;
    END;
  END IF;
END;
$$;
CALL grant_rights();
