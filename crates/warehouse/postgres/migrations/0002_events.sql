-- Single events, for those who have them: an optional source.

-- Every event file that was loaded, for skipping it the next time.
CREATE TABLE event_files (
  path      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  etag      TEXT             NOT NULL,
  bytes     BIGINT           NOT NULL,
  run_id    UUID             NOT NULL,
  loaded_at TIMESTAMPTZ      NOT NULL
);

-- One row per event: what the file whose path sorts last says of it. Whoever
-- reads it by day alone reads whole months, so there is no index by day.
CREATE TABLE fact_events (
  company_id  TEXT COLLATE "C" NOT NULL,
  date        DATE             NOT NULL,
  event_id    TEXT COLLATE "C" NOT NULL,
  events      BIGINT           NOT NULL CHECK (events >= 0),
  source_path TEXT COLLATE "C" NOT NULL, -- that file, relative to its storage root
  PRIMARY KEY (company_id, date, event_id)
) PARTITION BY RANGE (date);

-- The sums of fact_events, written in the transactions that write it.
CREATE TABLE agg_company_daily_events (
  company_id  TEXT COLLATE "C" NOT NULL,
  date        DATE             NOT NULL,
  events      BIGINT           NOT NULL,
  event_count BIGINT           NOT NULL, -- rows of fact_events
  PRIMARY KEY (company_id, date)
) PARTITION BY RANGE (date);
-- Dashboards look at the last days of every company.
CREATE INDEX agg_company_daily_events_by_date ON agg_company_daily_events (date);

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_reader') THEN
    GRANT SELECT ON fact_events, agg_company_daily_events TO activity_reader;
  END IF;
END;
$$;
