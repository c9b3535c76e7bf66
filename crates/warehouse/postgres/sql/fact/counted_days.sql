-- The days of the build, with the number of their candidates, their checksum and their totals if
-- these were determined when their month was complete, by the version $1.
SELECT
  activity_date, active_users, events, churn_risks, active_companies,
  CASE WHEN checksum_version = $1 THEN rows END AS rows,
  CASE WHEN checksum_version = $1 THEN checksum END AS checksum
FROM fact_build_days
