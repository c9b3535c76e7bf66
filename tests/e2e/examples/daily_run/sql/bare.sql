-- Tables with the rows and the keys that any tool needs, and nothing else; filled with what is there already.
CREATE SCHEMA bare;
CREATE TABLE bare.crm (
  company_id TEXT COLLATE "C" PRIMARY KEY, name TEXT, country TEXT, industry_tag TEXT, last_contact_at TIMESTAMPTZ
);
CREATE TABLE bare.usage (
  company_id TEXT COLLATE "C" NOT NULL, date DATE NOT NULL, active_users INTEGER NOT NULL, events BIGINT NOT NULL
);
INSERT INTO bare.usage SELECT company_id, date, active_users, events FROM stg_product_usage;
ALTER TABLE bare.usage ADD PRIMARY KEY (company_id, date);
CREATE TABLE bare.fact (LIKE fact_company_activity);
INSERT INTO bare.fact SELECT * FROM fact_company_activity;
ALTER TABLE bare.fact ADD PRIMARY KEY (company_id, activity_date);
ANALYZE bare.usage;
ANALYZE bare.fact;
