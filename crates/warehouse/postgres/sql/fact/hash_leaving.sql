-- The rows that candidates replace, or that go. $1..$2: the days of the build.
SELECT
  fact.activity_date AS "activity_date!",
  COALESCE(bit_xor(published_row_hash(ledger.checksum_version, fact)), 0) AS "checksum!"
FROM fact_candidates AS candidate
JOIN fact_company_activity AS fact
  ON fact.company_id = candidate.company_id
  AND fact.activity_date = candidate.activity_date
  AND fact.activity_date BETWEEN $1 AND $2
JOIN published_days AS ledger ON ledger.activity_date = fact.activity_date
WHERE candidate.change IN ('CHANGED', 'GONE')
GROUP BY fact.activity_date
