-- Of one connection. The days that are known, for an answer is compared with the days
-- before it, and in a backfill these are known by then.
CREATE TEMPORARY TABLE usage_days (
  date    DATE    NOT NULL PRIMARY KEY,
  records INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO temp.usage_days (date, records) SELECT date, records FROM main.usage_days;
