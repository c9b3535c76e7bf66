-- What publishing the candidates does to each day, in one pass that several
-- workers share: hashing is most of it.
SELECT
  activity_date AS "activity_date!",
  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!",
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!",
  -- Of the rows that come.
  COALESCE(
    bit_xor(published_row_hash(published_row(candidate, NULL))) FILTER (WHERE change IN ('NEW', 'CHANGED')), 0
  ) AS "checksum!"
FROM fact_candidates AS candidate
GROUP BY activity_date
