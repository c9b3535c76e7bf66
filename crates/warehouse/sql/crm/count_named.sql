-- The companies that the export names, and those with a row that can be read.
SELECT
  COUNT(*) AS "all!: i64",
  COUNT(*) FILTER (WHERE unreadable & 16 = 0) AS "readable!: i64"
FROM crm_incoming
