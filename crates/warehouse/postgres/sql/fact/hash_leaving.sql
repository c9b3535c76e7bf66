-- The rows that candidates replace, or that go. $1..$2: the days of the build.
SELECT
  fact.activity_date AS "activity_date!",
  COALESCE(bit_xor(published_row_hash(ledger.checksum_version, fact)), 0) AS "checksum!",
  -- What they add up to; NULL where that does not fit.
  COALESCE(SUM(fact.active_users), 0) AS "active_users!",
  CASE
    WHEN COALESCE(SUM(fact.events), 0) <= 9223372036854775807
      THEN COALESCE(SUM(fact.events), 0)::BIGINT
  END AS events,
  COUNT(*) FILTER (WHERE fact.is_churn_risk) AS "churn_risks!",
  COUNT(*) FILTER (WHERE fact.events > 0) AS "active_companies!"
FROM fact_candidates AS candidate
JOIN fact_company_activity AS fact
  ON fact.company_id = candidate.company_id
  AND fact.activity_date = candidate.activity_date
  AND fact.activity_date BETWEEN $1 AND $2
JOIN published_days AS ledger ON ledger.activity_date = fact.activity_date
WHERE candidate.change IN ('CHANGED', 'GONE')
GROUP BY fact.activity_date
