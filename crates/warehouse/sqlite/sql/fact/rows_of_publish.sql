-- What a checksum covers of the rows that publishing the candidates writes (1), and of those
-- that it replaces or removes (-1): a JSON array of rows for each company, for a row of its
-- own costs more to hand over than to hash. What seldom changes from day to day is an array
-- in each row, so that it can be compared as a whole.
SELECT
  1 AS "gain!: i64",
  company_id AS "company_id!: String",
  json_group_array(json_array(
    activity_date, active_users, events, active_users_7d, is_churn_risk, days_since_last_contact,
    json_array(company_name, country, industry_tag, last_contact_at)
  )) AS "rows!: String"
FROM fact_rows_to_come
GROUP BY company_id
UNION ALL
SELECT
  -1,
  company_id,
  json_group_array(json_array(
    activity_date, active_users, events, active_users_7d, is_churn_risk, days_since_last_contact,
    json_array(company_name, country, industry_tag, last_contact_at)
  ))
FROM fact_rows_to_go
-- Not in the order of the fact's key: SQLite would read all of the fact for it.
GROUP BY +company_id
