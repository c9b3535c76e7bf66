-- The candidates of the companies after $1 up to $2.
WITH
-- What to compute: every company on days not yet published ...
targets AS (
  SELECT company_id, activity_date
  FROM known_companies
  JOIN fact_build_days ON is_new
  WHERE company_id > $1 AND company_id <= $2
  UNION
  -- ... and what is dirty on published ones.
  SELECT company_id, activity_date
  FROM dirty_company_days
  JOIN fact_build_days ON NOT is_new AND activity_date BETWEEN first_day AND last_day
  WHERE company_id > $1 AND company_id <= $2
),
-- The usage of the 14 days that end on each target's day.
measured AS (
  SELECT
    target.company_id,
    target.activity_date,
    day.snapshot_on,
    COUNT(usage.date) AS usage_records,
    COALESCE(SUM(usage.active_users) FILTER (WHERE usage.date = target.activity_date), 0) AS active_users,
    COALESCE(SUM(usage.events) FILTER (WHERE usage.date = target.activity_date), 0) AS events,
    COALESCE(SUM(usage.active_users) FILTER (WHERE usage.date >= day.rolling_from), 0) AS active_users_7d,
    -- Counted, not summed: fourteen days of events need not fit one integer.
    COUNT(*) FILTER (WHERE usage.events > 0) AS active_days_14d
  FROM targets AS target
  JOIN fact_build_days AS day USING (activity_date)
  LEFT JOIN stg_product_usage AS usage
    ON usage.company_id = target.company_id
    AND usage.date BETWEEN day.churn_from AND target.activity_date
  GROUP BY target.company_id, target.activity_date
),
-- Whether the company belongs to the day's snapshot, and which of its versions
-- describes it: the newest up to the day; before its first one, the first.
described AS (
  SELECT
    measured.*,
    EXISTS (
      SELECT 1 FROM crm_company_versions AS member
      WHERE member.company_id = measured.company_id
        AND member.effective_from <= measured.snapshot_on
        AND (member.effective_to IS NULL OR member.effective_to >= measured.snapshot_on)
    ) AS is_member,
    COALESCE(
      (
        SELECT MAX(effective_from) FROM crm_company_versions
        WHERE company_id = measured.company_id AND effective_from <= measured.activity_date
      ),
      (SELECT MIN(effective_from) FROM crm_company_versions WHERE company_id = measured.company_id)
    ) AS version_from
  FROM measured
),
-- The 12 columns that the inputs decide.
computed AS (
  SELECT
    described.company_id,
    described.activity_date,
    version.name AS company_name,
    version.country,
    version.industry_tag,
    version.last_contact_at,
    described.active_users,
    described.events,
    described.active_users_7d,
    described.active_days_14d = 0 AS is_churn_risk,
    CAST(described.events AS REAL) / NULLIF(described.active_users, 0) AS events_per_user,
    CAST(
      julianday(described.activity_date) - julianday(date(version.last_contact_at)) AS INTEGER
    ) AS days_since_last_contact,
    described.is_member OR described.usage_records > 0 AS belongs
  FROM described
  LEFT JOIN crm_company_versions AS version
    ON version.company_id = described.company_id AND version.effective_from = described.version_from
)
INSERT INTO fact_candidates (
  company_id, activity_date, company_name, country, industry_tag, last_contact_at,
  active_users, events, "7d_active_users", is_churn_risk, events_per_user, days_since_last_contact,
  change
)
SELECT
  computed.company_id, computed.activity_date, computed.company_name, computed.country,
  computed.industry_tag, computed.last_contact_at, computed.active_users, computed.events,
  computed.active_users_7d, computed.is_churn_risk, computed.events_per_user,
  computed.days_since_last_contact,
  CASE
    WHEN NOT computed.belongs THEN 'GONE'
    WHEN fact.company_id IS NULL THEN 'NEW'
    WHEN (
      fact.company_name, fact.country, fact.industry_tag, fact.last_contact_at,
      fact.active_users, fact.events, fact."7d_active_users", fact.is_churn_risk,
      fact.events_per_user, fact.days_since_last_contact
    ) IS (
      computed.company_name, computed.country, computed.industry_tag, computed.last_contact_at,
      computed.active_users, computed.events, computed.active_users_7d, computed.is_churn_risk,
      computed.events_per_user, computed.days_since_last_contact
    ) THEN 'EQUAL'
    ELSE 'CHANGED'
  END
FROM computed
LEFT JOIN fact_company_activity AS fact
  ON fact.company_id = computed.company_id AND fact.activity_date = computed.activity_date
-- What neither belongs nor is published is nothing at all.
WHERE computed.belongs OR fact.company_id IS NOT NULL
