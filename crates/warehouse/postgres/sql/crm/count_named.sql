-- The companies that the export names, and those with a row that can be read.
SELECT
  COUNT(*) AS "all!",
  COUNT(*) FILTER (WHERE unreadable < 16) AS "readable!"
FROM crm_incoming
