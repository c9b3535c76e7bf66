-- Keeps how many candidates days have, their checksum and their totals. $1 days, $2 candidates, $3
-- checksums, $4 the checksums' version, $5..$8 the totals
UPDATE fact_build_days AS day
SET
  rows = counted.rows, checksum = counted.checksum, checksum_version = $4,
  active_users = counted.active_users, events = counted.events,
  churn_risks = counted.churn_risks, active_companies = counted.active_companies
FROM unnest(
  $1::DATE[], $2::BIGINT[], $3::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[]
) AS counted (activity_date, rows, checksum, active_users, events, churn_risks, active_companies)
WHERE day.activity_date = counted.activity_date
