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

-- Since when the file waits to be loaded again although it has not changed.
ALTER TABLE crm_exports ADD COLUMN replay_requested_at TIMESTAMPTZ;
ALTER TABLE event_files ADD COLUMN replay_requested_at TIMESTAMPTZ;

-- ---------------------------------------------------------------- runs

-- Published days of a run of which every company is computed and written anew, whether or
-- not something changed. Programs that do not know the column rebuild none.
ALTER TABLE pipeline_runs ADD COLUMN rebuild_days DATE[] NOT NULL DEFAULT '{}';
