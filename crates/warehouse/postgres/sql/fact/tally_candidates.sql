-- What publishing the candidates does to each day, in one pass that several
-- workers share: hashing is most of it.
SELECT
  activity_date AS "activity_date!",
  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!",
  COUNT(*) FILTER (WHERE change = 'NEW') AS "new!",
  COUNT(*) FILTER (WHERE change = 'CHANGED') AS "changed!",
  COUNT(*) FILTER (WHERE change = 'GONE') AS "gone!",
  -- Of the rows that come.
  COALESCE(bit_xor(fact_row_hash(
    company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
    "7d_active_users", is_churn_risk, days_since_last_contact
  )) FILTER (WHERE change IN ('NEW', 'CHANGED')), 0) AS "checksum!"
FROM fact_candidates
GROUP BY activity_date
