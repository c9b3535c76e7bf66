-- What the sources said: every CRM export, and the product API's newest answer for each day.
CREATE TABLE exports (
  effective_on DATE NOT NULL DEFAULT CURRENT_DATE,
  company_id TEXT COLLATE "C" NOT NULL,
  name TEXT,
  country TEXT,
  industry_tag TEXT,
  last_contact_at TIMESTAMPTZ
);
CREATE INDEX ON exports (company_id, effective_on);
CREATE INDEX ON exports (effective_on);
CREATE TABLE usage (
  company_id TEXT COLLATE "C" NOT NULL,
  date DATE NOT NULL,
  active_users BIGINT NOT NULL,
  events BIGINT NOT NULL,
  PRIMARY KEY (date, company_id)
);
-- A contestant's rows of one day.
CREATE TABLE contestant (
  company_id TEXT COLLATE "C",
  company_name TEXT,
  country TEXT,
  industry_tag TEXT,
  last_contact_at TIMESTAMPTZ,
  active_users BIGINT,
  events BIGINT,
  active_users_7d BIGINT,
  is_churn_risk BOOLEAN,
  events_per_user DOUBLE PRECISION,
  days_since_last_contact BIGINT
);
