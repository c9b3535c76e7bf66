-- Of one connection. The usage that the build of a chunk of companies reads, company by
-- company: staged usage is in the order of days. Empty between chunks.
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_usage (
  company_id   TEXT    NOT NULL,
  date         DATE    NOT NULL,
  active_users INTEGER NOT NULL,
  events       BIGINT  NOT NULL,
  PRIMARY KEY (company_id, date)
) WITHOUT ROWID;
