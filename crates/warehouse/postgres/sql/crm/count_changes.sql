SELECT
  COUNT(*) FILTER (WHERE is_present) AS "written!",
  COUNT(*) FILTER (WHERE NOT is_present) AS "removed!"
FROM crm_changes
