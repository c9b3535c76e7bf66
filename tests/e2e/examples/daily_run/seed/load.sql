-- Loads the two staging tables and builds the fact anew. client.py fills in what begins with a colon.
SET client_min_messages = error;
SET work_mem = '256MB';
SET jit = off;
SET timezone = 'UTC';

CREATE TABLE IF NOT EXISTS stg_crm_companies (
  company_id VARCHAR PRIMARY KEY, name VARCHAR, country VARCHAR, industry_tag VARCHAR, last_contact_at TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS stg_product_usage (
  company_id VARCHAR, date DATE, active_users INTEGER, events INTEGER, PRIMARY KEY (company_id, date)
);

BEGIN;
TRUNCATE stg_crm_companies;
\copy stg_crm_companies FROM ':crm_file' WITH (FORMAT csv, HEADER)
DELETE FROM stg_product_usage WHERE date BETWEEN :start_date AND :end_date;
\copy stg_product_usage FROM ':usage_file' WITH (FORMAT csv)
COMMIT;

BEGIN;
DROP TABLE IF EXISTS fact_company_activity;
CREATE TABLE fact_company_activity AS
:fact;
COMMIT;
