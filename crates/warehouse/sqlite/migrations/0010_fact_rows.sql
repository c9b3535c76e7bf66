-- Rows of the fact as programs read them: every column, under the name of its field.
-- Statements select * from a view and name no column, because programs take columns by
-- their position: a migration that adds one appends it, to the tables and here.
CREATE VIEW fact_rows AS
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at
FROM fact_company_activity;

-- The same, read through the index by day.
CREATE VIEW fact_rows_by_day AS
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact, loaded_at
FROM fact_company_activity INDEXED BY fact_company_activity_by_date;

-- The rows that publishing the candidates writes, without their loaded_at.
CREATE VIEW fact_rows_to_come AS
SELECT
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users" AS active_users_7d, is_churn_risk, events_per_user,
  days_since_last_contact
FROM fact_candidates
WHERE change IN ('NEW', 'CHANGED');

-- The rows that it replaces or removes.
CREATE VIEW fact_rows_to_go AS
SELECT fact_rows.*
FROM fact_candidates AS candidate
JOIN fact_rows USING (company_id, activity_date)
WHERE candidate.change IN ('CHANGED', 'GONE');
