-- $1 day, $2 path, $3 whether companies that the file does not name stay as they were.
INSERT INTO crm_snapshots (effective_on, path, companies, keeps_unnamed)
SELECT $1, $2, COUNT(*), $3 FROM crm_incoming WHERE TRUE
ON CONFLICT (effective_on) DO UPDATE SET
  path = excluded.path, companies = excluded.companies, keeps_unnamed = excluded.keeps_unnamed
