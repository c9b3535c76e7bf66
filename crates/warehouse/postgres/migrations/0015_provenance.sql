-- What a number can be traced back by: what was published before it and by which run, the
-- page of the source that its record stood on, and the rows that could not be read.

-- ---------------------------------------------------------------- what was published before

-- A company-day as it was until a publish replaced it or took it away. Kept for as long as
-- maintenance is told to.
CREATE TABLE fact_history (
  company_id    TEXT COLLATE "C" NOT NULL,
  activity_date DATE             NOT NULL,
  replaced_at   TIMESTAMPTZ      NOT NULL, -- the time of the publish that ended it
  replaced_by   UUID             NOT NULL, -- the run that published then
  was           fact_values      NOT NULL, -- the row; its loaded_at says when it began
  PRIMARY KEY (company_id, activity_date, replaced_at)
);
CREATE INDEX fact_history_by_day ON fact_history (activity_date, company_id);
CREATE INDEX fact_history_by_replacement ON fact_history (replaced_at);

-- Every publish of every day, and every time that it was taken back. The newest entry of a
-- published day says what published_days says.
CREATE TABLE day_publications (
  activity_date    DATE        NOT NULL,
  published_at     TIMESTAMPTZ NOT NULL,
  run_id           UUID        NOT NULL,
  row_count        BIGINT,     -- NULL: the day was taken back
  checksum         BIGINT,
  checksum_version INTEGER     NOT NULL DEFAULT 1,
  PRIMARY KEY (activity_date, published_at)
);
INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version FROM published_days;

-- The time of the newest publish, so that no two have the same, and since when every
-- replaced row is on record: from the beginning, unless something was published before.
ALTER TABLE warehouse_versions
  ADD COLUMN newest_publish TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
  ADD COLUMN history_since  TIMESTAMPTZ NOT NULL DEFAULT '-infinity';
UPDATE warehouse_versions
SET newest_publish = newest.published_at, history_since = newest.published_at
FROM (SELECT MAX(published_at) AS published_at FROM published_days) AS newest
WHERE newest.published_at IS NOT NULL;

-- ---------------------------------------------------------------- where a record stood

-- The number of the last record of each page of the answer, in order; NULL where nobody
-- noted it. Records are the lines of the landed file.
ALTER TABLE usage_days ADD COLUMN page_ends BIGINT[];

-- ---------------------------------------------------------------- rows that could not be read

ALTER TABLE quarantine
  ADD COLUMN kind          TEXT NOT NULL DEFAULT 'UNKNOWN', -- the reason's kind, for counting
  ADD COLUMN business_date DATE,        -- the day that the delivery is about; NULL if of none, or unknown
  ADD COLUMN accepted_at   TIMESTAMPTZ, -- since when somebody has declared that it stays as it is
  ADD COLUMN accepted_by   TEXT,
  ADD COLUMN accepted_why  TEXT;

-- The day of what is there already, where it is known for certain.
UPDATE quarantine SET business_date = substr(origin, 15, 10)::DATE
WHERE stage = 'act_call_product_api' AND origin ~ '^product_usage/[0-9]{4}-[0-9]{2}-[0-9]{2}/usage_';
UPDATE quarantine
SET business_date = newest.effective_on
FROM (
  SELECT DISTINCT ON (path) path, effective_on FROM crm_exports ORDER BY path, loaded_at DESC, effective_on DESC
) AS newest
WHERE stage = 'act_copy_crm_csv' AND path = origin;

-- Counting what nobody has accepted.
CREATE INDEX quarantine_open ON quarantine (stage, kind) WHERE accepted_at IS NULL;
-- What previews of a day look for.
CREATE INDEX quarantine_accepted ON quarantine (business_date) WHERE accepted_at IS NOT NULL;

-- Since when the file or day waits to be loaded again although it has not changed.
ALTER TABLE crm_exports ADD COLUMN replay_requested_at TIMESTAMPTZ;
ALTER TABLE event_files ADD COLUMN replay_requested_at TIMESTAMPTZ;
ALTER TABLE usage_days ADD COLUMN replay_requested_at TIMESTAMPTZ;

-- ---------------------------------------------------------------- runs

-- Published days of a run of which every company is computed and written anew, whether or
-- not something changed. Programs that do not know the column rebuild none.
ALTER TABLE pipeline_runs ADD COLUMN rebuild_days DATE[] NOT NULL DEFAULT '{}';

-- Days that wait for such a rebuild, also when the run that asked for it has failed. Only the
-- publish that rebuilds them clears them.
CREATE TABLE rebuild_days (
  activity_date DATE NOT NULL PRIMARY KEY
);

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
    'forget_months_before(DATE, DATE)'
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
      fact_events, agg_company_daily_events, rebuild_days
    TO activity_writer;
    -- Only ever added to.
    GRANT INSERT ON audit_actions, audit_ends, alert_deliveries, known_companies TO activity_writer;
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
    GRANT INSERT, DELETE ON rebuild_days TO activity_writer;
    GRANT UPDATE (rows, checksum, checksum_version) ON fact_build_days TO activity_writer;
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
