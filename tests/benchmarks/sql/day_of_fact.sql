-- The fact of :day for all companies, exactly as defined, as one would write it
-- by hand for a day that is not published yet.
WITH
-- The usage of the day, and of the 7 and 14 days that end on it.
activity AS (
  SELECT
    company_id,
    COALESCE(MAX(active_users) FILTER (WHERE date = :day), 0) AS active_users,
    COALESCE(MAX(events) FILTER (WHERE date = :day), 0) AS events,
    COALESCE(SUM(active_users) FILTER (WHERE date >= :day - 6), 0) AS active_users_7d,
    BOOL_OR(events > 0) AS is_active
  FROM stg_product_usage
  WHERE date BETWEEN :day - 13 AND :day
  GROUP BY company_id
),
-- The CRM snapshot on the day.
snapshot AS (
  SELECT COALESCE(
    MAX(effective_on) FILTER (WHERE effective_on <= :day), MIN(effective_on)
  ) AS effective_on
  FROM crm_snapshots
),
-- Each company's newest version on the day; before its first one, the first.
crm AS (
  SELECT DISTINCT ON (company_id)
    company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  ORDER BY
    company_id, effective_from > :day,
    CASE WHEN effective_from <= :day THEN DATE '2000-01-01' - effective_from ELSE effective_from - DATE '2000-01-01' END
)
SELECT
  company_id, :day, name, country, industry_tag, last_contact_at,
  COALESCE(active_users, 0), COALESCE(events, 0), COALESCE(active_users_7d, 0),
  is_active IS NOT TRUE,
  events::DOUBLE PRECISION / NULLIF(active_users, 0),
  :day - (last_contact_at AT TIME ZONE 'UTC')::DATE,
  CURRENT_TIMESTAMP
FROM crm
FULL JOIN activity USING (company_id)
CROSS JOIN snapshot
WHERE activity.company_id IS NOT NULL OR (
  crm.effective_from <= snapshot.effective_on
  AND (crm.effective_to IS NULL OR crm.effective_to >= snapshot.effective_on)
)
