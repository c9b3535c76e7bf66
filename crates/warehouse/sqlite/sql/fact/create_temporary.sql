-- Of one connection: what the build of a chunk of companies reads, empty between chunks.
-- The companies of the chunk, numbered.
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_companies (
  number     INTEGER NOT NULL PRIMARY KEY,
  company_id TEXT    NOT NULL UNIQUE
);
-- Their usage, company by company: staged usage is in the order of days. A slot is a company
-- and a day in one number, company * 10000000 + julian day, because SQLite finds rows and
-- ranges of rows by one number in half the time that it needs for two texts.
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_usage (
  slot         INTEGER NOT NULL PRIMARY KEY,
  active_users INTEGER NOT NULL,
  events       BIGINT  NOT NULL
);
