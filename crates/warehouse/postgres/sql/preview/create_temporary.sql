-- Of one connection. Where the product API's answers differ from what is staged.
CREATE TEMPORARY TABLE usage_differences (
  company_id   TEXT COLLATE "C" NOT NULL,
  date         DATE             NOT NULL,
  active_users INTEGER, -- NULL with events: the API no longer returns a record
  events       BIGINT,
  PRIMARY KEY (company_id, date)
);

-- The warehouse's own tables, by names that nothing hides once others of their
-- names are there.
CREATE TEMPORARY VIEW warehouse_companies AS SELECT company_id FROM known_companies;
-- Not what a rebuild has marked, which is of its build.
CREATE TEMPORARY VIEW warehouse_dirty_days AS
SELECT company_id, first_day, last_day FROM dirty_company_days WHERE NOT is_rebuild;
