-- Rows of days to rebuild that the ledger does not know, so that no publish can have written them.
-- They would stand in the way of those that the build computed for the days.
DELETE FROM fact_company_activity
WHERE activity_date IN (
  SELECT activity_date FROM rebuild_days JOIN fact_build_days USING (activity_date) WHERE is_new
)
