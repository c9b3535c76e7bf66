-- Of one connection. Where the product API's answers differ from what is staged.
CREATE TEMPORARY TABLE usage_differences (
  company_id   TEXT   NOT NULL,
  date         DATE   NOT NULL,
  active_users INTEGER, -- NULL with events: the API no longer returns a record
  events       BIGINT,
  PRIMARY KEY (company_id, date)
) WITHOUT ROWID;
