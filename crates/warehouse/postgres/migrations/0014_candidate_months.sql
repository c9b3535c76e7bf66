-- The candidates of a month that has no published row yet are kept in a table of their
-- own, which publishing turns into the month's partition of the fact: its rows are
-- written once. Whoever reads or empties fact_candidates sees all candidates, as before.

-- A build or a publish under way ends first; then the tables in the order in which the
-- audit locks them.
DO $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('warehouse'), hashtext('candidates'));
  LOCK TABLE fact_candidates, fact_build_days IN ACCESS EXCLUSIVE MODE;
END;
$$;

ALTER TABLE fact_candidates RENAME TO fact_candidates_rest;
CREATE TABLE fact_candidates (LIKE fact_candidates_rest) PARTITION BY RANGE (activity_date);
-- What is published row by row.
ALTER TABLE fact_candidates ATTACH PARTITION fact_candidates_rest DEFAULT;

-- What publishing a day's candidates adds to the ledger, counted and hashed when the
-- day's month was complete. NULL for all other days: their candidates are looked at when
-- they are published, also by programs that do not know these columns.
ALTER TABLE fact_build_days
  ADD COLUMN rows             BIGINT,
  ADD COLUMN checksum         BIGINT,
  ADD COLUMN checksum_version INTEGER; -- the checksum's formula

-- These took rows of what is now fact_candidates_rest.
DROP FUNCTION candidate_hash(INTEGER, fact_candidates_rest);
DROP FUNCTION candidate_hash(fact_candidates_rest);
DROP FUNCTION published_row(fact_candidates_rest, TIMESTAMPTZ);
CREATE FUNCTION published_row(candidate fact_candidates, loaded_at TIMESTAMPTZ) RETURNS fact_values
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
  (candidate).company_id, (candidate).activity_date, (candidate).company_name, (candidate).country,
  (candidate).industry_tag, (candidate).last_contact_at, (candidate).active_users, (candidate).events,
  (candidate)."7d_active_users", (candidate).is_churn_risk, (candidate).events_per_user,
  (candidate).days_since_last_contact, loaded_at
)::fact_values;
CREATE FUNCTION candidate_hash(candidate fact_candidates) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN fact_row_hash(
  (candidate).company_id, (candidate).activity_date, (candidate).company_name, (candidate).country,
  (candidate).industry_tag, (candidate).last_contact_at, (candidate).active_users, (candidate).events,
  (candidate)."7d_active_users", (candidate).is_churn_risk, (candidate).days_since_last_contact
);
CREATE FUNCTION candidate_hash(version INTEGER, candidate fact_candidates) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE version WHEN 1 THEN candidate_hash(candidate) END;

-- ---------------------------------------------------------------- months of a build

-- The months of the build's days that have no published row yet, and so no partition.
-- Published days may be among them: those that had no rows.
CREATE FUNCTION new_months() RETURNS TABLE (month DATE)
LANGUAGE sql STABLE AS $$
  SELECT months.month
  FROM (SELECT DISTINCT date_trunc('month'::TEXT, activity_date::TIMESTAMP)::DATE AS month FROM fact_build_days) AS months
  WHERE NOT has_partition('fact_company_activity', month_partition('fact_company_activity', months.month))
  ORDER BY months.month
$$;

-- The name of the table with the candidates of a month.
CREATE FUNCTION candidate_month(day DATE) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
  SELECT 'fact_candidates'::TEXT || to_char(day::TIMESTAMP, '"_y"YYYY"m"MM'::TEXT)
$$;

-- Makes the tables of the build's new months, without indexes. Nothing in such a month is
-- published, so its candidates are all new; that the table holds nothing else spares
-- publishing it a look at its rows. No autovacuum is in the way of the publish.
CREATE FUNCTION create_candidate_months() RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  first_day DATE;
  next_month DATE;
BEGIN
  FOR first_day IN SELECT month FROM new_months() LOOP
    next_month := (first_day + INTERVAL '1 month')::DATE;
    EXECUTE format(
      'CREATE TABLE %I PARTITION OF fact_candidates (
         CONSTRAINT is_new CHECK (change = ''NEW''),
         CONSTRAINT is_of_month CHECK (activity_date >= %L AND activity_date < %L)
       ) FOR VALUES FROM (%L) TO (%L) WITH (autovacuum_enabled = FALSE)',
      candidate_month(first_day), first_day, next_month, first_day, next_month
    );
  END LOOP;
END;
$$;

-- Gives a month's candidates the indexes of the fact, sorted instead of row by row, and
-- lets the planner know their number, so that publishing finds both done.
CREATE FUNCTION index_candidate_month(day DATE) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  candidates TEXT := candidate_month(day);
  statement TEXT;
BEGIN
  IF NOT has_partition('fact_candidates', candidates) THEN
    RAISE EXCEPTION 'the candidates of % are in no table of their own', day
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR statement IN
    SELECT
      CASE
        WHEN indisprimary THEN format('ALTER TABLE %I ADD %s', candidates, pg_get_constraintdef(pg_constraint.oid))
        -- From the index's method on, its definition names no table.
        ELSE format('CREATE INDEX ON %I USING %s', candidates, split_part(pg_get_indexdef(indexrelid), ' USING ', 2))
      END
    FROM pg_index
    LEFT JOIN pg_constraint ON conindid = indexrelid AND conrelid = indrelid
    WHERE indrelid = 'fact_company_activity'::REGCLASS
    ORDER BY indexrelid
  LOOP
    EXECUTE statement;
  END LOOP;
  -- Counted by the indexes. Autovacuum comes soon enough for fewer.
  IF (SELECT reltuples FROM pg_class WHERE oid = candidates::REGCLASS) >= 10000::REAL THEN
    EXECUTE format('ANALYZE %I', candidates);
  END IF;
END;
$$;

-- Drops the tables of months that were not published.
CREATE FUNCTION drop_candidate_months() RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  unpublished TEXT;
BEGIN
  SELECT string_agg(format('%I', relname), ', ')
  INTO unpublished
  FROM pg_inherits
  JOIN pg_class ON pg_class.oid = inhrelid
  WHERE inhparent = 'fact_candidates'::REGCLASS AND relname <> 'fact_candidates_rest'::NAME;
  IF unpublished IS NOT NULL THEN
    EXECUTE 'DROP TABLE ' || unpublished;
  END IF;
END;
$$;

-- As it was for months whose candidates are among all others: those of a build by a
-- program that knows no months. Otherwise their table becomes the partition. All that
-- this writes is in the catalogue: the time of publication is the default that rows from
-- before the column have.
CREATE OR REPLACE FUNCTION publish_new_month(month DATE, published_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
  first_day DATE := date_trunc('month'::TEXT, month::TIMESTAMP)::DATE;
  next_month DATE := (first_day + INTERVAL '1 month')::DATE;
  partition TEXT := month_partition('fact_company_activity', first_day);
  candidates TEXT := candidate_month(first_day);
  is_built BOOLEAN;
  written BIGINT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partitions'), hashtext('fact_company_activity'));
  is_built := has_partition('fact_candidates', candidates);
  IF is_built THEN
    -- Counted already, unless by a program that knows no months.
    SELECT SUM(rows) INTO written
    FROM fact_build_days
    WHERE activity_date >= first_day AND activity_date < next_month
    HAVING COUNT(rows) = COUNT(*);
    IF written IS NULL THEN
      EXECUTE format('SELECT COUNT(*) FROM %I', candidates) INTO written;
    END IF;
    EXECUTE format('ALTER TABLE fact_candidates DETACH PARTITION %I', candidates);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', candidates, partition);
    EXECUTE format(
      'ALTER TABLE %I DROP COLUMN change, ADD COLUMN loaded_at TIMESTAMPTZ NOT NULL DEFAULT %L',
      partition, published_at
    );
    EXECUTE format('ALTER TABLE %I ALTER COLUMN loaded_at DROP DEFAULT, RESET (autovacuum_enabled)', partition);
  ELSE
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
  END IF;
  EXECUTE format(
    'ALTER TABLE fact_company_activity ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
    partition, first_day, next_month
  );
  IF is_built THEN
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT is_of_month', partition);
  END IF;
  RETURN written;
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
