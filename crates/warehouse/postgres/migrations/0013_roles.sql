-- Who may do what. The owner is whoever migrates. Services are members of activity_writer:
-- they work on the data, but change neither the schema, nor the audit trail, nor the
-- ledger other than through the functions below. Readers are members of activity_reader.

-- As activity_reader, the role belongs to the whole server and may exist already; whoever
-- may not create roles has an administrator create it, before or after. grant_rights
-- below gives it its rights, and each `activityctl migrate` calls that again.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_writer') THEN
    CREATE ROLE activity_writer NOLOGIN;
  END IF;
EXCEPTION
  WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
END;
$$;

-- ---------------------------------------------------------------- partitions

-- grant_rights makes the functions from here on run with the owner's rights. So they
-- look at their arguments, and every call in them has arguments of exactly the types that
-- pg_catalog declares: a function that somebody adds to the schema never fits better.

-- The months of `parent`, one of the tables that are partitioned by month.
CREATE OR REPLACE FUNCTION month_partition(parent TEXT, day DATE) RETURNS TEXT
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF parent NOT IN ('stg_product_usage', 'fact_company_activity', 'fact_events', 'agg_company_daily_events') THEN
    RAISE EXCEPTION '% is not partitioned by month', parent USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT isfinite(day) THEN
    RAISE EXCEPTION '% is in no month', day USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN parent || to_char(day::TIMESTAMP, '"_y"YYYY"m"MM'::TEXT);
END;
$$;

-- As it was, but only for the tables that are partitioned by month.
CREATE OR REPLACE FUNCTION ensure_month_partitions(parent TEXT, first_day DATE, last_day DATE) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  month DATE := date_trunc('month'::TEXT, first_day::TIMESTAMP)::DATE;
  partition TEXT;
BEGIN
  -- Refuses the end of time, before there are partitions up to it.
  PERFORM month_partition(parent, last_day);
  WHILE month <= last_day LOOP
    partition := month_partition(parent, month);
    IF NOT has_partition(parent, partition) THEN
      PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partitions'), hashtext(parent));
      -- Whoever waited here may find the partition that the other one made.
      IF NOT has_partition(parent, partition) THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
        EXECUTE format(
          'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
          parent, partition, month, (month + INTERVAL '1 month')::DATE
        );
      END IF;
    END IF;
    month := (month + INTERVAL '1 month')::DATE;
  END LOOP;
END;
$$;

-- As it was, but only for whole months.
CREATE OR REPLACE FUNCTION publish_new_month(month DATE, published_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
  first_day DATE := date_trunc('month'::TEXT, month::TIMESTAMP)::DATE;
  next_month DATE := (first_day + INTERVAL '1 month')::DATE;
  partition TEXT := month_partition('fact_company_activity', first_day);
  written BIGINT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partitions'), hashtext('fact_company_activity'));
  EXECUTE format('CREATE TABLE %I (LIKE fact_company_activity INCLUDING ALL EXCLUDING INDEXES)', partition);
  EXECUTE format(
    'INSERT INTO %I
     SELECT (published_row(candidate, $1)).*
     FROM fact_candidates AS candidate
     WHERE change = ''NEW'' AND activity_date >= $2 AND activity_date < $3',
    partition
  )
  USING published_at, first_day, next_month;
  GET DIAGNOSTICS written = ROW_COUNT;
  EXECUTE format(
    'ALTER TABLE fact_company_activity ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
    partition, first_day, next_month
  );
  RETURN written;
END;
$$;

-- As it was, but only for the tables that are partitioned by month. Only a table's owner
-- may analyse it.
CREATE OR REPLACE FUNCTION analyze_if_grown(parent TEXT, first_day DATE, last_day DATE, rows_written BIGINT)
RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  grown NAME;
BEGIN
  IF rows_written < 10000 THEN
    RETURN;
  END IF;
  -- Refuses other tables.
  PERFORM month_partition(parent, last_day);
  FOR grown IN
    SELECT relname
    FROM generate_series(
      date_trunc('month'::TEXT, first_day::TIMESTAMP), last_day::TIMESTAMP, INTERVAL '1 month'
    ) AS months (month)
    JOIN pg_inherits ON inhparent = parent::REGCLASS
    JOIN pg_class ON pg_class.oid = inhrelid AND relname = month_partition(parent, month::DATE)::NAME
    WHERE rows_written::DOUBLE PRECISION > 0.5::DOUBLE PRECISION * reltuples::DOUBLE PRECISION
  LOOP
    EXECUTE format('ANALYZE %I', grown);
  END LOOP;
END;
$$;

-- Lets the planner know what a build is about to compute.
CREATE OR REPLACE FUNCTION analyze_build() RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  ANALYZE dirty_company_days, fact_build_days;
END;
$$;

-- ---------------------------------------------------------------- the ledger

-- Enters what a publish changes: the new days of the build, and published ones of which
-- rows have changed, by how many and their checksum by what. Only a run that is under way
-- publishes, only what was built from the present data, and nothing but its days.
CREATE OR REPLACE FUNCTION record_published_days(
  publishing_run UUID, publishing_at TIMESTAMPTZ,
  changed_days DATE[], row_changes BIGINT[], checksum_changes BIGINT[], new_version INTEGER
) RETURNS VOID
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
    RAISE EXCEPTION 'run % has built nothing that it may publish', publishing_run
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO published_days AS published (activity_date, run_id, published_at, row_count, checksum, checksum_version)
  SELECT
    day.activity_date, publishing_run, publishing_at, COALESCE(change.rows, 0), COALESCE(change.checksum, 0),
    new_version
  FROM fact_build_days AS day
  LEFT JOIN unnest(changed_days, row_changes, checksum_changes) AS change (activity_date, rows, checksum)
    USING (activity_date)
  WHERE day.is_new OR change.activity_date IS NOT NULL
  ON CONFLICT (activity_date) DO UPDATE SET
    run_id = excluded.run_id,
    published_at = excluded.published_at,
    row_count = published.row_count + excluded.row_count,
    checksum = published.checksum # excluded.checksum;
END;
$$;

-- Removes the days of a run that is taking them back, which is its only stage.
CREATE OR REPLACE FUNCTION remove_unpublished_days(unpublishing_run UUID, first_day DATE, last_day DATE) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM pipeline_runs AS run
    JOIN pipeline_run_stages AS stage ON stage.run_id = run.run_id
    WHERE run.run_id = unpublishing_run AND run.state = 'RUNNING'
      AND first_day >= run.window_start AND last_day <= run.window_end
      AND stage.stage = 'act_unpublish_days' AND stage.state = 'RUNNING'
  ) THEN
    RAISE EXCEPTION 'run % does not take back the days from % to %', unpublishing_run, first_day, last_day
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM published_days WHERE activity_date >= first_day AND activity_date <= last_day;
END;
$$;

-- ---------------------------------------------------------------- retention

-- The partitions of the months before `first_kept`, of staged usage before
-- `first_kept_usage`. A partition is named after its table and month.
CREATE OR REPLACE FUNCTION old_partitions(first_kept DATE, first_kept_usage DATE)
RETURNS TABLE (parent TEXT, partition NAME)
LANGUAGE sql STABLE AS $$
  SELECT old.parent, partition.relname
  FROM (
    VALUES
      ('fact_company_activity', first_kept),
      ('fact_events', first_kept),
      ('agg_company_daily_events', first_kept),
      ('stg_product_usage', first_kept_usage)
  ) AS old (parent, first_kept)
  JOIN pg_inherits ON inhparent = old.parent::REGCLASS
  JOIN pg_class AS partition ON partition.oid = inhrelid
  WHERE partition.relname < month_partition(old.parent, old.first_kept)::NAME
  ORDER BY old.parent, partition.relname
$$;

-- Keeps runs from being created until the caller's transaction ends. The right to lock
-- the table otherwise comes with the right to change all of it.
CREATE OR REPLACE FUNCTION hold_back_new_runs() RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE pipeline_runs IN SHARE MODE;
END;
$$;

-- Drops whole months, and removes their days from the ledgers: always the oldest, and
-- never so many that nothing is left or that the ledger begins with a gap.
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
  SELECT string_agg(DISTINCT format('ONLY %I', parent), ', '), string_agg(format('%I', partition), ', ')
  INTO parents, partitions
  FROM old_partitions(first_kept, first_kept_usage);
  IF partitions IS NOT NULL THEN
    EXECUTE 'LOCK TABLE ' || parents || ' IN ACCESS EXCLUSIVE MODE';
    EXECUTE 'DROP TABLE ' || partitions;
  END IF;
  DELETE FROM published_days WHERE activity_date < first_kept;
  DELETE FROM usage_days WHERE date < first_kept_usage;
END;
$$;

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
      fact_events, agg_company_daily_events
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
REVOKE EXECUTE ON PROCEDURE grant_rights FROM PUBLIC;
CALL grant_rights();
