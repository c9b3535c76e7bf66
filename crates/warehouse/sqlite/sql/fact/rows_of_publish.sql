-- What a checksum covers of the rows that publishing the candidates writes, and of those
-- that it replaces or removes: a JSON array of rows for each company, for a row of its own
-- costs more to hand over than to hash.
SELECT json_group_array(json_array(
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, active_users_7d, is_churn_risk, days_since_last_contact
)) AS "rows!: String"
FROM fact_rows_to_come
GROUP BY company_id
UNION ALL
SELECT json_group_array(json_array(
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, active_users_7d, is_churn_risk, days_since_last_contact
))
FROM fact_rows_to_go
-- Not in the order of the fact's key: SQLite would read all of the fact for it.
GROUP BY +company_id
