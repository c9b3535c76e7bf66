-- The companies of day $1 by company, after $6, at most $7. $2 patterns of words, all of which the
-- identifier or the name holds, in lower case of ASCII; no word reaches across the line's end.
-- $3 country, $4 industry, empty for those without, NULL for all; $5 only those at risk.
SELECT
  fact.company_id, fact.activity_date, company_name, country, industry_tag, last_contact_at, active_users,
  events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user, days_since_last_contact,
  loaded_at
FROM fact_company_activity AS fact
WHERE activity_date = $1
  -- Rows of a month that is published later are there, but not in the ledger of this state.
  AND EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1)
  AND (CARDINALITY($2::TEXT[]) = 0 OR lower((company_id || E'\n' || COALESCE(company_name, '')) COLLATE "C") LIKE ALL ($2))
  AND ($3::TEXT IS NULL OR COALESCE(country, '') = $3)
  AND ($4::TEXT IS NULL OR COALESCE(industry_tag, '') = $4)
  AND (is_churn_risk OR NOT $5)
  AND company_id > $6
ORDER BY company_id
LIMIT $7
