-- The columns of the fact and of the CRM's history, as functions: a statement that
-- computes, compares, hashes or publishes whole rows calls one and names no column. They
-- are single expressions, which the planner inlines, so they cost what their bodies cost.
--
-- The types have the columns that these functions know, in the order of the tables'
-- first columns: what is inserted as a whole row leaves later columns to their defaults.
-- A migration that adds a column appends it to the tables and the types, and replaces
-- the functions by others of the same signatures, which also serve the programs that do
-- not know it. Bodies in the form RETURN are bound to the warehouse's tables when they
-- are created, whatever tables of a preview hide these by the same names.

CREATE TYPE fact_candidate_values AS (
  company_id              TEXT COLLATE "C",
  activity_date           DATE,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMPTZ,
  active_users            INTEGER,
  events                  BIGINT,
  "7d_active_users"       BIGINT,
  is_churn_risk           BOOLEAN,
  events_per_user         DOUBLE PRECISION,
  days_since_last_contact INTEGER,
  change                  TEXT
);

CREATE TYPE fact_values AS (
  company_id              TEXT COLLATE "C",
  activity_date           DATE,
  company_name            TEXT,
  country                 TEXT,
  industry_tag            TEXT,
  last_contact_at         TIMESTAMPTZ,
  active_users            INTEGER,
  events                  BIGINT,
  "7d_active_users"       BIGINT,
  is_churn_risk           BOOLEAN,
  events_per_user         DOUBLE PRECISION,
  days_since_last_contact INTEGER,
  loaded_at               TIMESTAMPTZ
);

CREATE TYPE crm_version_values AS (
  company_id      TEXT COLLATE "C",
  effective_from  DATE,
  effective_to    DATE,
  name            TEXT,
  country         TEXT,
  industry_tag    TEXT,
  last_contact_at TIMESTAMPTZ
);

-- The rule of the fact: what a company is on a day, given the version that describes it
-- and what its usage adds up to. How usage is added up is up to the statements that
-- build: each has a plan of its own.
CREATE FUNCTION fact_candidate(
  company_id TEXT, day DATE, version crm_company_versions,
  active_users INTEGER, events BIGINT, active_users_7d BIGINT, is_active BOOLEAN, change TEXT
) RETURNS fact_candidate_values
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ROW(
  company_id, day, (version).name, (version).country, (version).industry_tag, (version).last_contact_at,
  active_users, events, active_users_7d,
  is_active IS NOT TRUE,
  events::DOUBLE PRECISION / NULLIF(active_users, 0),
  day - ((version).last_contact_at AT TIME ZONE 'UTC')::DATE,
  change
)::fact_candidate_values;

-- Whether two versions of a company say the same, and a version with other snapshots.
CREATE FUNCTION is_same_company(one crm_company_versions, other crm_company_versions) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((one).name, (one).country, (one).industry_tag, (one).last_contact_at)
  IS NOT DISTINCT FROM ((other).name, (other).country, (other).industry_tag, (other).last_contact_at);
CREATE FUNCTION with_span(version crm_company_versions, effective_from DATE, effective_to DATE)
RETURNS crm_version_values
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
  (version).company_id, effective_from, effective_to,
  (version).name, (version).country, (version).industry_tag, (version).last_contact_at
)::crm_version_values;

-- The candidate with another change.
CREATE FUNCTION with_change(candidate fact_candidate_values, change TEXT) RETURNS fact_candidate_values
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
  (candidate).company_id, (candidate).activity_date, (candidate).company_name, (candidate).country,
  (candidate).industry_tag, (candidate).last_contact_at, (candidate).active_users, (candidate).events,
  (candidate)."7d_active_users", (candidate).is_churn_risk, (candidate).events_per_user,
  (candidate).days_since_last_contact, change
)::fact_candidate_values;

-- Whether publishing the candidate would change nothing of the published row.
CREATE FUNCTION is_published_as(fact fact_company_activity, candidate fact_candidate_values) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  (fact).company_name, (fact).country, (fact).industry_tag, (fact).last_contact_at,
  (fact).active_users, (fact).events, (fact)."7d_active_users", (fact).is_churn_risk,
  (fact).events_per_user, (fact).days_since_last_contact
) IS NOT DISTINCT FROM (
  (candidate).company_name, (candidate).country, (candidate).industry_tag, (candidate).last_contact_at,
  (candidate).active_users, (candidate).events, (candidate)."7d_active_users", (candidate).is_churn_risk,
  (candidate).events_per_user, (candidate).days_since_last_contact
);

-- The row that the candidate becomes when it is published.
CREATE FUNCTION published_row(candidate fact_candidates, loaded_at TIMESTAMPTZ) RETURNS fact_values
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(
  (candidate).company_id, (candidate).activity_date, (candidate).company_name, (candidate).country,
  (candidate).industry_tag, (candidate).last_contact_at, (candidate).active_users, (candidate).events,
  (candidate)."7d_active_users", (candidate).is_churn_risk, (candidate).events_per_user,
  (candidate).days_since_last_contact, loaded_at
)::fact_values;

-- The hash of a published row, and of the one that a candidate becomes.
CREATE FUNCTION published_row_hash(fact fact_company_activity) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN fact_row_hash(
  (fact).company_id, (fact).activity_date, (fact).company_name, (fact).country, (fact).industry_tag,
  (fact).last_contact_at, (fact).active_users, (fact).events, (fact)."7d_active_users", (fact).is_churn_risk,
  (fact).days_since_last_contact
);
CREATE FUNCTION candidate_hash(candidate fact_candidates) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN fact_row_hash(
  (candidate).company_id, (candidate).activity_date, (candidate).company_name, (candidate).country,
  (candidate).industry_tag, (candidate).last_contact_at, (candidate).active_users, (candidate).events,
  (candidate)."7d_active_users", (candidate).is_churn_risk, (candidate).days_since_last_contact
);

-- Publishes the candidates that change a published row, and returns how many they are.
-- Found by their key, not joined: they are few as a rule, and no estimate can make it a
-- scan of the partitions.
CREATE FUNCTION publish_changed_rows(published_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
  written BIGINT;
BEGIN
  INSERT INTO fact_company_activity AS fact
  SELECT (published_row(candidate, published_at)).*
  FROM fact_candidates AS candidate
  WHERE change = 'CHANGED'
  ON CONFLICT (company_id, activity_date) DO UPDATE SET
    company_name = excluded.company_name, country = excluded.country, industry_tag = excluded.industry_tag,
    last_contact_at = excluded.last_contact_at, active_users = excluded.active_users, events = excluded.events,
    "7d_active_users" = excluded."7d_active_users", is_churn_risk = excluded.is_churn_risk,
    events_per_user = excluded.events_per_user,
    days_since_last_contact = excluded.days_since_last_contact, loaded_at = excluded.loaded_at;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written;
END;
$$;
REVOKE EXECUTE ON FUNCTION publish_changed_rows FROM PUBLIC;

-- As it was, but without names of columns.
CREATE OR REPLACE FUNCTION publish_new_month(month DATE, published_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
  partition TEXT := 'fact_company_activity' || to_char(month, '"_y"YYYY"m"MM');
  next_month DATE := month + INTERVAL '1 month';
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
  USING published_at, month, next_month;
  GET DIAGNOSTICS written = ROW_COUNT;
  EXECUTE format(
    'ALTER TABLE fact_company_activity ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
    partition, month, next_month
  );
  RETURN written;
END;
$$;
