-- Publishes the candidates of a month that has no partition yet, and returns how
-- many they are. The rows go into a table without indexes; attaching it builds
-- them, sorted instead of row by row, in a fraction of the time.
CREATE FUNCTION publish_new_month(month DATE, published_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
  partition TEXT := 'fact_company_activity' || to_char(month, '"_y"YYYY"m"MM');
  next_month DATE := month + INTERVAL '1 month';
  written BIGINT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partitions'), hashtext('fact_company_activity'));
  EXECUTE format('CREATE TABLE %I (LIKE fact_company_activity INCLUDING ALL EXCLUDING INDEXES)', partition);
  EXECUTE format(
    'INSERT INTO %I (
       company_id, activity_date, company_name, country, industry_tag, last_contact_at,
       active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
       loaded_at
     )
     SELECT
       company_id, activity_date, company_name, country, industry_tag, last_contact_at,
       active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
       $1
     FROM fact_candidates
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
REVOKE EXECUTE ON FUNCTION publish_new_month FROM PUBLIC;

-- Lets the planner know the partitions of `parent` from `first_day` to `last_day`
-- once `rows_written` make a difference to one of them: right after bulk writes,
-- where autovacuum comes too late for whoever reads next. A partition is looked at
-- while its first days arrive: from then on its estimates scale with its size, and
-- looking again would cost half as much as the day that was written.
CREATE OR REPLACE FUNCTION analyze_if_grown(parent TEXT, first_day DATE, last_day DATE, rows_written BIGINT) RETURNS VOID
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
    WHERE rows_written > 0.5 * reltuples
  LOOP
    EXECUTE format('ANALYZE %I', grown);
  END LOOP;
END;
$$;
