-- $1 day, $2 path, $3 companies, $4 whether companies that the file does not name stay as they were.
INSERT INTO crm_snapshots (effective_on, path, companies, keeps_unnamed)
VALUES ($1, $2, $3, $4)
ON CONFLICT (effective_on) DO UPDATE SET
  path = excluded.path, companies = excluded.companies, keeps_unnamed = excluded.keeps_unnamed
