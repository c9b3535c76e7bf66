-- What a number can be traced back by: what was published before it and by which run, the
-- page of the source that its record stood on, and the rows that could not be read.

-- ---------------------------------------------------------------- what was published before

-- Of each publish: when the newest one was, so that no two have the same time; since when
-- every replaced row is on record, NULL for from the beginning; and up to which one that is
-- so. A program that keeps no history moves publish alone, by which it is noticed. First of
-- all, so that no publish is under way from here on.
ALTER TABLE warehouse_versions
  ADD COLUMN newest_publish TIMESTAMPTZ,
  ADD COLUMN history_since  TIMESTAMPTZ,
  ADD COLUMN logged_publish BIGINT NOT NULL DEFAULT 0;
UPDATE warehouse_versions
SET logged_publish = publish, newest_publish = newest.published_at, history_since = newest.published_at
FROM (SELECT MAX(published_at) AS published_at FROM published_days) AS newest;

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
CREATE INDEX day_publications_by_run ON day_publications (run_id);
INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version FROM published_days;

-- The published row, for what is kept of it.
CREATE FUNCTION kept_row(fact fact_company_activity) RETURNS fact_values
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
  (fact).company_id, (fact).activity_date, (fact).company_name, (fact).country, (fact).industry_tag,
  (fact).last_contact_at, (fact).active_users, (fact).events, (fact)."7d_active_users", (fact).is_churn_risk,
  (fact).events_per_user, (fact).days_since_last_contact, (fact).loaded_at
)::fact_values;

-- Keeps the rows that the candidates of the days from first_day to last_day replace or take
-- away. Called before they do. Only a run that is under way replaces rows, only by what was
-- built from the present data.
CREATE FUNCTION keep_replaced_rows(publishing_run UUID, publishing_at TIMESTAMPTZ, first_day DATE, last_day DATE)
RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM fact_build AS build
    JOIN warehouse_versions AS present
      ON present.staging = build.staging_version AND present.publish = build.publish_version
    JOIN pipeline_runs AS run ON run.run_id = build.run_id
    WHERE build.run_id = publishing_run AND run.state = 'RUNNING'
  ) THEN
    RAISE EXCEPTION 'run % has built nothing that replaces a row', publishing_run
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO fact_history (company_id, activity_date, replaced_at, replaced_by, was)
  SELECT fact.company_id, fact.activity_date, publishing_at, publishing_run, kept_row(fact)
  FROM fact_candidates AS candidate
  JOIN fact_company_activity AS fact
    ON fact.company_id = candidate.company_id
    AND fact.activity_date = candidate.activity_date
    AND fact.activity_date >= first_day AND fact.activity_date <= last_day
  WHERE candidate.change IN ('CHANGED', 'GONE');
END;
$$;

-- Notes that publishing_run has published, or taken days back, at publishing_at. If another
-- one did so before without keeping history, the state that this one leaves is the first to
-- be on record: the log then tells of that one what the ledger does. Part of the two
-- functions below, and for nobody else.
CREATE FUNCTION note_publish(publishing_run UUID, publishing_at TIMESTAMPTZ) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM warehouse_versions WHERE publish <> logged_publish) THEN
    INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
    SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version FROM published_days
    ON CONFLICT DO NOTHING;
    INSERT INTO day_publications (activity_date, published_at, run_id)
    SELECT DISTINCT logged.activity_date, publishing_at, publishing_run
    FROM day_publications AS logged
    WHERE NOT EXISTS (SELECT 1 FROM published_days AS day WHERE day.activity_date = logged.activity_date)
    ON CONFLICT DO NOTHING;
    UPDATE warehouse_versions SET history_since = publishing_at;
  END IF;
  -- Whoever publishes counts it in publish next.
  UPDATE warehouse_versions SET newest_publish = publishing_at, logged_publish = publish + 1;
END;
$$;
REVOKE EXECUTE ON FUNCTION note_publish FROM PUBLIC;

-- Enters the days that a publish has just entered into the ledger into the log as well.
CREATE FUNCTION log_publish(publishing_run UUID, publishing_at TIMESTAMPTZ) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF publishing_at <= (SELECT newest_publish FROM warehouse_versions) THEN
    RAISE EXCEPTION 'the publish at % is not the newest', publishing_at USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO day_publications (activity_date, published_at, run_id, row_count, checksum, checksum_version)
  SELECT activity_date, published_at, run_id, row_count, checksum, checksum_version
  FROM published_days
  WHERE published_at = publishing_at AND run_id = publishing_run;
  PERFORM note_publish(publishing_run, publishing_at);
END;
$$;

-- Keeps the rows of the days that a run takes back, logs that, and removes the days from the
-- ledger; the rows themselves are for the caller to remove. The function of three arguments,
-- which programs call that keep no history, asks whether the run may.
CREATE FUNCTION remove_unpublished_days(
  unpublishing_run UUID, unpublishing_at TIMESTAMPTZ, first_day DATE, last_day DATE
) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF unpublishing_at <= (SELECT newest_publish FROM warehouse_versions) THEN
    RAISE EXCEPTION 'the publish at % is not the newest', unpublishing_at USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO fact_history (company_id, activity_date, replaced_at, replaced_by, was)
  SELECT company_id, activity_date, unpublishing_at, unpublishing_run, kept_row(fact)
  FROM fact_company_activity AS fact
  WHERE activity_date >= first_day AND activity_date <= last_day;
  INSERT INTO day_publications (activity_date, published_at, run_id)
  SELECT activity_date, unpublishing_at, unpublishing_run
  FROM published_days
  WHERE activity_date >= first_day AND activity_date <= last_day;
  PERFORM remove_unpublished_days(unpublishing_run, first_day, last_day);
  PERFORM note_publish(unpublishing_run, unpublishing_at);
END;
$$;

-- As it was, but history goes with its days. That counts as a publish of which everything is
-- on record.
CREATE OR REPLACE FUNCTION forget_months_before(first_kept DATE, first_kept_usage DATE) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  parents TEXT;
  partitions TEXT;
BEGIN
  IF first_kept <> date_trunc('month'::TEXT, first_kept::TIMESTAMP)::DATE OR first_kept_usage > first_kept THEN
    RAISE EXCEPTION 'whole months are forgotten, and the usage of no more: not % and %', first_kept, first_kept_usage
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT 1 FROM published_days WHERE activity_date < first_kept)
    AND NOT EXISTS (SELECT 1 FROM published_days WHERE activity_date = first_kept)
  THEN
    RAISE EXCEPTION '% is not published, so nothing before it is forgotten', first_kept
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- Before the lock, which keeps readers of the fact waiting: there may be many.
  DELETE FROM day_publications WHERE activity_date < first_kept;
  DELETE FROM fact_history WHERE activity_date < first_kept;
  SELECT string_agg(DISTINCT format('ONLY %I', parent), ', '), string_agg(format('%I', partition), ', ')
  INTO parents, partitions
  FROM old_partitions(first_kept, first_kept_usage);
  IF partitions IS NOT NULL THEN
    EXECUTE 'LOCK TABLE ' || parents || ' IN ACCESS EXCLUSIVE MODE';
    EXECUTE 'DROP TABLE ' || partitions;
  END IF;
  DELETE FROM published_days WHERE activity_date < first_kept;
  DELETE FROM usage_days WHERE date < first_kept_usage;
  UPDATE warehouse_versions SET logged_publish = logged_publish + 1;
END;
$$;

-- Removes what was replaced until kept_since, which leaves every state from then on. Of each
-- day the log keeps the newest entry until then as well: it says what the day was. The state
-- that the newest publish left always stays.
CREATE FUNCTION forget_history_before(kept_since TIMESTAMPTZ) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT (newest_publish < kept_since) IS NOT FALSE FROM warehouse_versions) THEN
    RAISE EXCEPTION 'history is kept from the newest publish on at least, not only from %', kept_since
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  DELETE FROM fact_history WHERE replaced_at <= kept_since;
  DELETE FROM day_publications AS old
  WHERE published_at <= kept_since
    AND EXISTS (
      SELECT 1
      FROM day_publications AS newer
      WHERE newer.activity_date = old.activity_date
        AND newer.published_at > old.published_at AND newer.published_at <= kept_since
    );
  UPDATE warehouse_versions
  SET history_since = kept_since
  WHERE (history_since < kept_since) IS NOT FALSE;
END;
$$;

-- ---------------------------------------------------------------- where a record stood

-- The number of the last record of each page of the answer, in order; NULL where nobody
-- noted it. Records are the lines of the landed file.
ALTER TABLE usage_days ADD COLUMN page_ends BIGINT[];

-- The entity tag of the file that was loaded: a later fetch replaces the file, also if it is then
-- refused. NULL if there was none, or nobody noted it.
ALTER TABLE usage_days ADD COLUMN landing_etag TEXT;

-- ---------------------------------------------------------------- rows that could not be read

ALTER TABLE quarantine
  ADD COLUMN kind          TEXT NOT NULL DEFAULT 'UNKNOWN', -- the reason's kind, for counting
  ADD COLUMN cause         TEXT,        -- the reason without where the row stands; NULL where nobody noted it
  ADD COLUMN business_date DATE,        -- the day that the delivery is about; NULL if of none, or unknown
  ADD COLUMN accepted_at   TIMESTAMPTZ, -- since when somebody has declared that it stays as it is
  ADD COLUMN accepted_by   TEXT,
  ADD COLUMN accepted_why  TEXT,
  ADD COLUMN accepted_hash BIGINT;      -- of the words that were accepted

-- A program that knows no acceptances replaces a row's words alone. What was accepted are
-- the words before.
CREATE FUNCTION end_acceptance() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
  NEW.accepted_at := NULL;
  NEW.accepted_by := NULL;
  NEW.accepted_why := NULL;
  NEW.accepted_hash := NULL;
  RETURN NEW;
END;
$$;
CREATE TRIGGER other_words_are_not_accepted BEFORE UPDATE OF reason, raw ON quarantine
FOR EACH ROW WHEN (
  NEW.accepted_at IS NOT NULL AND NEW.accepted_hash IS DISTINCT FROM hashtextextended(NEW.reason || NEW.raw, 0)
)
EXECUTE FUNCTION end_acceptance();

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
-- What loads and previews of a day look for.
CREATE INDEX quarantine_by_day ON quarantine (business_date);

-- Since when the file or day waits to be loaded again although it has not changed.
ALTER TABLE crm_exports ADD COLUMN replay_requested_at TIMESTAMPTZ;
ALTER TABLE event_files ADD COLUMN replay_requested_at TIMESTAMPTZ;
ALTER TABLE usage_days ADD COLUMN replay_requested_at TIMESTAMPTZ;

-- ---------------------------------------------------------------- runs

-- Published days of a run of which every company is computed and written anew, whether or
-- not something changed. Programs that do not know the column rebuild none.
ALTER TABLE pipeline_runs ADD COLUMN rebuild_days DATE[] NOT NULL DEFAULT '{}';

-- Which days of the present build are rebuilt, and the marks that have it compute them whole.
-- Such marks are of this build alone: the next one that starts discards them.
ALTER TABLE fact_build_days ADD COLUMN is_rebuilt BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE dirty_company_days ADD COLUMN is_rebuild BOOLEAN NOT NULL DEFAULT FALSE;

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
      fact_history, day_publications, warehouse_versions,
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
      fact_events, agg_company_daily_events, fact_history, day_publications
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
