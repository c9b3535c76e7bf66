-- Staged usage in the order in which it arrives, day by day: a new day is written to the
-- end of the table. In the order of companies it touched every page of the table, and an
-- index by day had to be kept as well.
CREATE TABLE usage_by_day (
  company_id   TEXT    NOT NULL,
  date         DATE    NOT NULL,
  active_users INTEGER NOT NULL CHECK (active_users >= 0),
  events       BIGINT  NOT NULL CHECK (events >= 0),
  PRIMARY KEY (date, company_id)
) WITHOUT ROWID;
INSERT INTO usage_by_day (company_id, date, active_users, events)
SELECT company_id, date, active_users, events FROM stg_product_usage ORDER BY date, company_id;
DROP TABLE stg_product_usage;
ALTER TABLE usage_by_day RENAME TO stg_product_usage;
