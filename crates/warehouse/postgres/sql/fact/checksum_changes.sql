-- By what publishing the candidates changes the checksum of each day.
WITH
-- The rows that come ...
hashes AS (
  SELECT activity_date, fact_row_hash(
    company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
    "7d_active_users", is_churn_risk, days_since_last_contact
  ) AS hash
  FROM fact_candidates
  WHERE change IN ('NEW', 'CHANGED')
  UNION ALL
  -- ... and those that they replace, or that go.
  SELECT fact.activity_date, fact_row_hash(
    fact.company_id, fact.activity_date, fact.company_name, fact.country, fact.industry_tag,
    fact.last_contact_at, fact.active_users, fact.events, fact."7d_active_users", fact.is_churn_risk,
    fact.days_since_last_contact
  )
  FROM fact_candidates AS candidate
  JOIN fact_company_activity AS fact
    ON fact.company_id = candidate.company_id
    AND fact.activity_date = candidate.activity_date
    -- Keeps the planner from looking at partitions of other days.
    AND fact.activity_date BETWEEN
      (SELECT MIN(activity_date) FROM fact_build_days) AND (SELECT MAX(activity_date) FROM fact_build_days)
  WHERE candidate.change IN ('CHANGED', 'GONE')
)
SELECT activity_date AS "activity_date!", bit_xor(hash) AS "checksum!"
FROM hashes
GROUP BY activity_date
