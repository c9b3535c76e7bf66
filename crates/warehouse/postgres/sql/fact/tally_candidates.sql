-- What publishing the candidates of the days $2 does to each day, in one pass that several
-- workers share: hashing is most of it. $1: the version of the checksum that new days
-- get; a published day keeps its own.
SELECT
  activity_date AS "activity_date!",
  MAX(ledger.checksum_version) AS checksum_version,
  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!",
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!",
  -- Of the rows that come.
  COALESCE(
    bit_xor(candidate_hash(COALESCE(ledger.checksum_version, $1), candidate))
      FILTER (WHERE change IN ('NEW', 'CHANGED')),
    0
  ) AS "checksum!",
  -- What they add up to; NULL where that does not fit.
  COALESCE(SUM(active_users) FILTER (WHERE change IN ('NEW', 'CHANGED')), 0) AS "active_users!",
  CASE
    WHEN COALESCE(SUM(events) FILTER (WHERE change IN ('NEW', 'CHANGED')), 0) <= 9223372036854775807
      THEN COALESCE(SUM(events) FILTER (WHERE change IN ('NEW', 'CHANGED')), 0)::BIGINT
  END AS events,
  COUNT(*) FILTER (WHERE change IN ('NEW', 'CHANGED') AND is_churn_risk) AS "churn_risks!",
  COUNT(*) FILTER (WHERE change IN ('NEW', 'CHANGED') AND events > 0) AS "active_companies!"
FROM fact_candidates AS candidate
LEFT JOIN published_days AS ledger USING (activity_date)
WHERE activity_date = ANY ($2)
GROUP BY activity_date
