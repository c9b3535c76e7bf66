-- What programs show at a glance: each day in a few numbers.

-- ---------------------------------------------------------------- totals of days

-- A published day over all its companies, summed up by the publish that wrote its rows. They
-- are the totals of the rows that have this number and this checksum: a program that knows no
-- totals publishes the day anew and leaves them, and by that they are told from current ones.
CREATE TABLE day_totals (
  activity_date    DATE    NOT NULL PRIMARY KEY REFERENCES published_days (activity_date) ON DELETE CASCADE,
  row_count        INTEGER NOT NULL,
  checksum         INTEGER NOT NULL,
  checksum_version INTEGER NOT NULL,
  active_users     BIGINT  NOT NULL,
  events           BIGINT  NOT NULL,
  churn_risks      BIGINT  NOT NULL, -- companies at risk of churn
  active_companies BIGINT  NOT NULL  -- companies with events on the day
);

-- The totals of the rows that the ledger has.
CREATE VIEW known_day_totals AS
SELECT activity_date, totals.active_users, totals.events, totals.churn_risks, totals.active_companies
FROM day_totals AS totals
JOIN published_days AS ledger USING (activity_date, row_count, checksum, checksum_version);
