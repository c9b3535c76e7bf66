-- Companies that differ from the state that held before. Of those present only the
-- ones that the export gives in full count as written: the others are rejected rows,
-- or none of it.
SELECT
  COUNT(*) FILTER (WHERE is_present AND incoming.unreadable = 0) AS "written!: i64",
  COUNT(*) FILTER (WHERE NOT is_present) AS "removed!: i64",
  COUNT(*) AS "all!: i64"
FROM crm_changes
LEFT JOIN crm_incoming AS incoming USING (company_id)
