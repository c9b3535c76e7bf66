-- The schema of the Postgres engine. Days are DATE, points in time TIMESTAMPTZ
-- with microseconds. Leases and due times are compared with this database's clock
-- alone. Names sort by their bytes (COLLATE "C"), as in every other engine.
--
-- Every key of a table that grows with the number of companies begins with
-- company_id, and such tables are joined on it, so that they can be distributed
-- by it. Runs, leases, alerts and the ledger stay on one node.

-- ---------------------------------------------------------------- runs

CREATE TABLE pipeline_runs (
  run_id           UUID             NOT NULL PRIMARY KEY, -- UUIDv7: sorts by creation
  pipeline         TEXT COLLATE "C" NOT NULL,
  window_start     DATE             NOT NULL,
  window_end       DATE             NOT NULL,
  run_trigger      TEXT             NOT NULL,
  state            TEXT             NOT NULL,
  lease_holder     TEXT,
  lease_epoch      BIGINT           NOT NULL DEFAULT 0,
  lease_expires_at TIMESTAMPTZ      NOT NULL DEFAULT '-infinity',
  created_at       TIMESTAMPTZ      NOT NULL,
  started_at       TIMESTAMPTZ,
  ended_at         TIMESTAMPTZ,
  traceparent      TEXT
);
CREATE INDEX pipeline_runs_by_window ON pipeline_runs (pipeline, window_end, window_start);
CREATE INDEX pipeline_runs_active ON pipeline_runs (pipeline, run_id) WHERE state IN ('QUEUED', 'RUNNING');

CREATE TABLE pipeline_run_stages (
  run_id         UUID             NOT NULL REFERENCES pipeline_runs (run_id),
  stage          TEXT COLLATE "C" NOT NULL,
  position       INTEGER          NOT NULL,
  service        TEXT             NOT NULL,
  depends_on     TEXT[]           NOT NULL,
  state          TEXT             NOT NULL,
  attempt        INTEGER          NOT NULL DEFAULT 0,
  failures       INTEGER          NOT NULL DEFAULT 0,
  started_at     TIMESTAMPTZ,
  ended_at       TIMESTAMPTZ,
  rows_read      BIGINT           NOT NULL DEFAULT 0,
  rows_written   BIGINT           NOT NULL DEFAULT 0,
  rows_unchanged BIGINT           NOT NULL DEFAULT 0,
  rows_duplicate BIGINT           NOT NULL DEFAULT 0,
  rows_rejected  BIGINT           NOT NULL DEFAULT 0,
  rows_removed   BIGINT           NOT NULL DEFAULT 0,
  bytes_read     BIGINT           NOT NULL DEFAULT 0,
  remarks        TEXT[]           NOT NULL DEFAULT '{}',
  error_code     TEXT,
  error_message  TEXT,
  PRIMARY KEY (run_id, stage)
);

-- ---------------------------------------------------------------- alerts

CREATE TABLE alert_outbox (
  alert_key     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  pipeline      TEXT             NOT NULL,
  stage         TEXT             NOT NULL,
  attempt       INTEGER          NOT NULL,
  error_code    TEXT             NOT NULL,
  error_message TEXT             NOT NULL,
  run_id        UUID             NOT NULL,
  business_date DATE             NOT NULL,
  failed_at     TIMESTAMPTZ      NOT NULL,
  tries         INTEGER          NOT NULL DEFAULT 0,
  due_at        TIMESTAMPTZ      NOT NULL DEFAULT '-infinity',
  settled_at    TIMESTAMPTZ,
  last_problem  TEXT
);
CREATE INDEX alert_outbox_due ON alert_outbox (due_at) WHERE settled_at IS NULL;

CREATE TABLE alert_deliveries (
  alert_key    TEXT COLLATE "C" NOT NULL,
  channel      TEXT COLLATE "C" NOT NULL,
  delivered_at TIMESTAMPTZ      NOT NULL,
  PRIMARY KEY (alert_key, channel)
);

-- ---------------------------------------------------------------- quarantine

CREATE TABLE quarantine (
  origin         TEXT COLLATE "C" NOT NULL, -- the file, relative to its storage root
  line           BIGINT           NOT NULL, -- from 1
  run_id         UUID             NOT NULL,
  stage          TEXT             NOT NULL,
  reason         TEXT             NOT NULL,
  raw            TEXT             NOT NULL,
  quarantined_at TIMESTAMPTZ      NOT NULL,
  PRIMARY KEY (origin, line)
);

-- ---------------------------------------------------------------- CRM

-- Every export file that was loaded, for skipping it the next time.
CREATE TABLE crm_exports (
  path         TEXT COLLATE "C" NOT NULL,
  effective_on DATE             NOT NULL,
  etag         TEXT             NOT NULL,
  bytes        BIGINT           NOT NULL,
  companies    BIGINT           NOT NULL,
  run_id       UUID             NOT NULL,
  loaded_at    TIMESTAMPTZ      NOT NULL,
  PRIMARY KEY (path, effective_on)
);

-- The days on which a snapshot took effect, and the file that counts for each.
CREATE TABLE crm_snapshots (
  effective_on DATE             NOT NULL PRIMARY KEY,
  path         TEXT COLLATE "C" NOT NULL,
  companies    BIGINT           NOT NULL
);

-- Which values a company had in which snapshots: present with these values in
-- every snapshot from effective_from to effective_to, both included;
-- effective_to is NULL where that reaches the newest snapshot. Intervals of a
-- company never overlap, and adjacent ones differ, so any order of arrival
-- leaves the same rows.
CREATE TABLE crm_company_versions (
  company_id      TEXT COLLATE "C" NOT NULL,
  effective_from  DATE             NOT NULL,
  effective_to    DATE,
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMPTZ,
  PRIMARY KEY (company_id, effective_from)
);

-- The seed's staging table: one row per company the CRM ever had, its newest version.
CREATE VIEW stg_crm_companies AS
SELECT DISTINCT ON (company_id) company_id, name, country, industry_tag, last_contact_at
FROM crm_company_versions
ORDER BY company_id, effective_from DESC;

-- ---------------------------------------------------------------- usage

-- Every day the product API was asked for.
CREATE TABLE usage_days (
  date         DATE        NOT NULL PRIMARY KEY,
  records      BIGINT      NOT NULL, -- staged records of the day
  landing_path TEXT,
  bytes        BIGINT      NOT NULL,
  run_id       UUID        NOT NULL,
  fetched_at   TIMESTAMPTZ NOT NULL
);

CREATE TABLE stg_product_usage (
  company_id   TEXT COLLATE "C" NOT NULL,
  date         DATE             NOT NULL,
  active_users INTEGER          NOT NULL CHECK (active_users >= 0),
  events       BIGINT           NOT NULL CHECK (events >= 0),
  PRIMARY KEY (company_id, date)
) PARTITION BY RANGE (date);
-- A load compares one day, a build reads fourteen.
CREATE INDEX stg_product_usage_by_date ON stg_product_usage (date);

-- ---------------------------------------------------------------- fact

-- Every company that either source ever named.
CREATE TABLE known_companies (
  company_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

-- Published company-days that an input changed since they were computed.
-- Cleared only by the transaction that publishes them.
CREATE TABLE dirty_company_days (
  company_id TEXT COLLATE "C" NOT NULL,
  change_id  BIGINT           NOT NULL GENERATED ALWAYS AS IDENTITY,
  first_day  DATE             NOT NULL,
  last_day   DATE             NOT NULL,
  PRIMARY KEY (company_id, change_id)
);

-- Counts the changes to staging and the publishes, so that candidates built
-- from an older state are never published. Whoever changes one of the two locks
-- this row until it commits: a load never marks days dirty beside a publish.
CREATE TABLE warehouse_versions (
  id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  staging BIGINT  NOT NULL DEFAULT 0,
  publish BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO warehouse_versions (id) VALUES (1);

-- What the candidates were built from: one build at a time. Unlogged like the
-- candidates themselves, so that a crash of the database that loses them loses
-- this row with them, and nothing takes their absence for a result.
CREATE UNLOGGED TABLE fact_build (
  id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  run_id            UUID    NOT NULL,
  staging_version   BIGINT  NOT NULL,
  publish_version   BIGINT  NOT NULL,
  last_dirty_change BIGINT  NOT NULL -- dirty entries up to here are in the candidates
);

-- The days of the build, with what computing them reads.
CREATE UNLOGGED TABLE fact_build_days (
  activity_date DATE    NOT NULL PRIMARY KEY,
  churn_from    DATE    NOT NULL, -- activity_date - 13
  snapshot_on   DATE,             -- the CRM snapshot on the day; NULL without any
  is_new        BOOLEAN NOT NULL  -- not yet published: every company is computed
);

-- Computed company-days that no reader sees. Without a key: a build writes each
-- company-day once, and an index would double what writing costs.
CREATE UNLOGGED TABLE fact_candidates (
  company_id              TEXT COLLATE "C" NOT NULL,
  activity_date           DATE             NOT NULL,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMPTZ,
  active_users            INTEGER          NOT NULL,
  events                  BIGINT           NOT NULL,
  "7d_active_users"       BIGINT           NOT NULL,
  is_churn_risk           BOOLEAN          NOT NULL,
  events_per_user         DOUBLE PRECISION,
  days_since_last_contact INTEGER,
  change                  TEXT             NOT NULL -- NEW, CHANGED, EQUAL or GONE against what is published
);

CREATE TABLE fact_company_activity (
  company_id              TEXT COLLATE "C" NOT NULL,
  activity_date           DATE             NOT NULL,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMPTZ,
  active_users            INTEGER          NOT NULL,
  events                  BIGINT           NOT NULL,
  "7d_active_users"       BIGINT           NOT NULL,
  is_churn_risk           BOOLEAN          NOT NULL,
  events_per_user         DOUBLE PRECISION,
  days_since_last_contact INTEGER,
  loaded_at               TIMESTAMPTZ      NOT NULL,
  PRIMARY KEY (company_id, activity_date)
) PARTITION BY RANGE (activity_date);
-- Pages of one day come out in order.
CREATE INDEX fact_company_activity_by_date ON fact_company_activity (activity_date, company_id);
-- A churn risk's last active day is found without walking through its silence.
CREATE INDEX fact_company_activity_active ON fact_company_activity (company_id, activity_date) WHERE events > 0;

-- The ledger of published days.
CREATE TABLE published_days (
  activity_date DATE        NOT NULL PRIMARY KEY,
  run_id        UUID        NOT NULL,
  published_at  TIMESTAMPTZ NOT NULL,
  row_count     BIGINT      NOT NULL
);

-- ---------------------------------------------------------------- partitions

-- Whether `parent` has a partition of that name by now: read from the table, for
-- the name lookup's cache does not hear of what others made while this one waited.
CREATE FUNCTION has_partition(parent TEXT, partition TEXT) RETURNS BOOLEAN
LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (
    SELECT 1
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = parent::REGCLASS AND relname = partition
  )
$$;

-- Makes sure that `parent` has the monthly partitions that hold the days from
-- `first_day` to `last_day`, however far in the past.
--
-- A partition is created on its own and attached: CREATE TABLE ... PARTITION OF
-- would wait for every reader of the parent, and make all later ones wait for
-- itself; attaching does neither.
CREATE FUNCTION ensure_month_partitions(parent TEXT, first_day DATE, last_day DATE) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  month DATE := date_trunc('month', first_day::TIMESTAMP);
  partition TEXT;
BEGIN
  WHILE month <= last_day LOOP
    partition := parent || to_char(month, '"_y"YYYY"m"MM');
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
    month := month + INTERVAL '1 month';
  END LOOP;
END;
$$;
REVOKE EXECUTE ON FUNCTION has_partition, ensure_month_partitions FROM PUBLIC;

-- Lets the planner know the partitions of `parent` from `first_day` to `last_day`
-- once `rows_written` make a difference to one of them: right after bulk writes,
-- where autovacuum comes too late for whoever reads next.
CREATE FUNCTION analyze_if_grown(parent TEXT, first_day DATE, last_day DATE, rows_written BIGINT) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
  grown TEXT;
BEGIN
  IF rows_written < 10000 THEN
    RETURN;
  END IF;
  FOR grown IN
    SELECT relname
    FROM generate_series(date_trunc('month', first_day::TIMESTAMP), last_day, INTERVAL '1 month') AS months (month)
    JOIN pg_inherits ON inhparent = parent::REGCLASS
    JOIN pg_class ON pg_class.oid = inhrelid AND relname = parent || to_char(month, '"_y"YYYY"m"MM')
    WHERE rows_written > 0.2 * reltuples
  LOOP
    EXECUTE format('ANALYZE %I', grown);
  END LOOP;
END;
$$;
REVOKE EXECUTE ON FUNCTION analyze_if_grown FROM PUBLIC;

-- ---------------------------------------------------------------- readers

-- Analysts and dashboards read what is published, and nothing else: give their
-- logins membership in activity_reader. Roles belong to the whole cluster, so it
-- may exist already; whoever may not create roles has an administrator create it
-- first, or does without.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_reader') THEN
    CREATE ROLE activity_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
END;
$$;
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_reader') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO activity_reader', current_schema());
    GRANT SELECT ON fact_company_activity, published_days TO activity_reader;
  END IF;
END;
$$;
