-- Companies that differ from the state that held before. Of those present only the
-- ones that the export gives in full count as written: the others are rejected rows,
-- or none of it.
SELECT
  COUNT(*) FILTER (WHERE is_present AND unreadable = 0) AS "written!",
  COUNT(*) FILTER (WHERE NOT is_present) AS "removed!",
  COUNT(*) AS "all!"
FROM crm_changes
