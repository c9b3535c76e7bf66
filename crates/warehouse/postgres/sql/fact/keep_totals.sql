-- Keeps the totals of the rows that the ledger has of days. $1 days, $2 active users, $3 events,
-- $4 churn risks, $5 active companies
INSERT INTO day_totals (
  activity_date, row_count, checksum, checksum_version, active_users, events, churn_risks, active_companies
)
SELECT
  activity_date, ledger.row_count, ledger.checksum, ledger.checksum_version, summed.active_users,
  summed.events, summed.churn_risks, summed.active_companies
FROM unnest($1::DATE[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[])
  AS summed (activity_date, active_users, events, churn_risks, active_companies)
JOIN published_days AS ledger USING (activity_date)
ON CONFLICT (activity_date) DO UPDATE SET
  row_count = excluded.row_count,
  checksum = excluded.checksum,
  checksum_version = excluded.checksum_version,
  active_users = excluded.active_users,
  events = excluded.events,
  churn_risks = excluded.churn_risks,
  active_companies = excluded.active_companies
