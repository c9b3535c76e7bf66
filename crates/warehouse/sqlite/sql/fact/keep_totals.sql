-- Keeps the totals of the rows that the ledger has of days. $1: a JSON object by day, for each its
-- active users, events, churn risks and active companies
INSERT INTO day_totals (
  activity_date, row_count, checksum, checksum_version, active_users, events, churn_risks, active_companies
)
SELECT
  ledger.activity_date, ledger.row_count, ledger.checksum, ledger.checksum_version, summed.value ->> 0,
  summed.value ->> 1, summed.value ->> 2, summed.value ->> 3
FROM json_each($1) AS summed
JOIN published_days AS ledger ON ledger.activity_date = summed.key
-- Without it ON CONFLICT would be read as the condition of the join.
WHERE TRUE
ON CONFLICT (activity_date) DO UPDATE SET
  row_count = excluded.row_count,
  checksum = excluded.checksum,
  checksum_version = excluded.checksum_version,
  active_users = excluded.active_users,
  events = excluded.events,
  churn_risks = excluded.churn_risks,
  active_companies = excluded.active_companies
