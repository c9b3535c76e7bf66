-- What each published day holds, in one number: the exclusive or of a hash per row.
-- A publish changes it by the rows that come and go, without reading the others.

-- The hash of a row: the first eight bytes of the SHA-256 of its canonical text,
-- which every engine spells the same: the columns in order, each followed by a
-- comma; a text preceded by its length in characters and a colon; days since
-- 1970-01-01, microseconds since then; N for NULL. loaded_at is no content, and
-- events_per_user, which follows from two other columns, has no portable text.
--
-- STABLE, since conversions between character sets could be redefined, and only
-- a function that claims no more than its body is inlined: three times as fast.
CREATE FUNCTION fact_row_hash(
  company_id TEXT, activity_date DATE, company_name TEXT, country TEXT, industry_tag TEXT,
  last_contact_at TIMESTAMPTZ, active_users INTEGER, events BIGINT, active_users_7d BIGINT,
  is_churn_risk BOOLEAN, days_since_last_contact INTEGER
) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT ('x' || encode(substr(sha256(convert_to(
    length(company_id)::TEXT || ':' || company_id || ','
    || (activity_date - DATE '1970-01-01')::TEXT || ','
    || COALESCE(length(company_name)::TEXT || ':' || company_name, 'N') || ','
    || COALESCE(length(country)::TEXT || ':' || country, 'N') || ','
    || COALESCE(length(industry_tag)::TEXT || ':' || industry_tag, 'N') || ','
    || COALESCE(
      (EXTRACT(EPOCH FROM last_contact_at AT TIME ZONE 'UTC') * 1000000)::BIGINT::TEXT, 'N'
    ) || ','
    || active_users::TEXT || ',' || events::TEXT || ',' || active_users_7d::TEXT
    || CASE WHEN is_churn_risk THEN ',1,' ELSE ',0,' END
    || COALESCE(days_since_last_contact::TEXT, 'N') || ',',
    'UTF8'
  )), 1, 8), 'hex'))::BIT(64)::BIGINT
$$;

ALTER TABLE published_days ADD COLUMN checksum BIGINT;

-- Reads all that is published once: some seconds per million rows.
UPDATE published_days SET checksum = 0;
UPDATE published_days AS published
SET checksum = day.checksum
FROM (
  SELECT activity_date, bit_xor(fact_row_hash(
    company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users, events,
    "7d_active_users", is_churn_risk, days_since_last_contact
  )) AS checksum
  FROM fact_company_activity
  GROUP BY activity_date
) AS day
WHERE published.activity_date = day.activity_date;

-- A publish by a program that does not know of checksums fails, rather than
-- leaving a checksum that is none.
ALTER TABLE published_days ALTER COLUMN checksum SET NOT NULL;
