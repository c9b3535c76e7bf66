-- The number of rows of the day $1, and their checksum by the version $2.
SELECT
  COUNT(*) AS "rows!",
  COALESCE(bit_xor(published_row_hash($2, fact)), 0) AS "checksum!",
  -- What they add up to; NULL where that does not fit.
  COALESCE(SUM(active_users), 0) AS "active_users!",
  CASE
    WHEN COALESCE(SUM(events), 0) <= 9223372036854775807
      THEN COALESCE(SUM(events), 0)::BIGINT
  END AS events,
  COUNT(*) FILTER (WHERE is_churn_risk) AS "churn_risks!",
  COUNT(*) FILTER (WHERE events > 0) AS "active_companies!"
FROM fact_company_activity AS fact
WHERE activity_date = $1
