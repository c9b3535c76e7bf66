-- What the ledger must change by to agree with the rows of the rebuilt days, once they are written.
-- $1..$2: the days of the build.
SELECT
  ledger.activity_date AS "activity_date!",
  found.rows - ledger.row_count AS "rows!",
  found.checksum # COALESCE(ledger.checksum, 0) AS "checksum!"
FROM rebuild_days
JOIN fact_build_days AS day ON day.activity_date = rebuild_days.activity_date AND NOT day.is_new
JOIN published_days AS ledger ON ledger.activity_date = rebuild_days.activity_date
CROSS JOIN LATERAL (
  SELECT COUNT(*) AS rows, COALESCE(bit_xor(published_row_hash(ledger.checksum_version, fact)), 0) AS checksum
  FROM fact_company_activity AS fact
  WHERE fact.activity_date = ledger.activity_date AND fact.activity_date BETWEEN $1 AND $2
) AS found
