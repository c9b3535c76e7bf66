-- The candidates of the companies after $1 up to $2, from the usage in chunk_usage.
WITH
-- What to compute: every company on days not yet published ...
targets AS (
  SELECT known.company_id, day.activity_date, day.rolling_from, day.churn_from, day.snapshot_on, day.is_new
  FROM known_companies AS known
  CROSS JOIN fact_build_days AS day
  WHERE day.is_new AND known.company_id > $1 AND known.company_id <= $2
  UNION ALL
  -- ... and what is dirty on published ones.
  SELECT DISTINCT
    dirty.company_id, day.activity_date, day.rolling_from, day.churn_from, day.snapshot_on, day.is_new
  FROM dirty_company_days AS dirty
  JOIN fact_build_days AS day ON NOT day.is_new AND day.activity_date BETWEEN dirty.first_day AND dirty.last_day
  WHERE dirty.company_id > $1 AND dirty.company_id <= $2
),
-- The days on which each version of a company describes it: until its next one begins,
-- and the first one also before. A version describes the snapshots from effective_from to
-- effective_to, so it also says whether the company is in one.
described AS MATERIALIZED (
  SELECT
    company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at,
    julianday(date(last_contact_at)) AS contact_day,
    IIF(LAG(effective_from) OVER by_day IS NULL, '', effective_from) AS first_day,
    COALESCE(LEAD(effective_from) OVER by_day, '9999-99-99') AS next_from
  FROM crm_company_versions
  WHERE company_id > $1 AND company_id <= $2
  WINDOW by_day AS (PARTITION BY company_id ORDER BY effective_from)
),
-- The 12 columns that the inputs decide.
computed AS (
  SELECT
    target.company_id,
    target.activity_date,
    described.name AS company_name,
    described.country,
    described.industry_tag,
    described.last_contact_at,
    COALESCE(usage.active_users, 0) AS active_users,
    COALESCE(usage.events, 0) AS events,
    (
      SELECT COALESCE(SUM(recent.active_users), 0) FROM chunk_usage AS recent
      WHERE recent.company_id = target.company_id
        AND recent.date BETWEEN target.rolling_from AND target.activity_date
    ) AS active_users_7d,
    COALESCE(usage.events, 0) = 0 AND NOT EXISTS (
      SELECT 1 FROM chunk_usage AS recent
      WHERE recent.company_id = target.company_id
        AND recent.date BETWEEN target.churn_from AND target.activity_date
        AND recent.events > 0
    ) AS is_churn_risk,
    CAST(usage.events AS REAL) / NULLIF(usage.active_users, 0) AS events_per_user,
    CAST(julianday(target.activity_date) - described.contact_day AS INTEGER) AS days_since_last_contact,
    (
      described.effective_from <= target.snapshot_on
      AND (described.effective_to IS NULL OR described.effective_to >= target.snapshot_on)
    ) IS TRUE OR EXISTS (
      SELECT 1 FROM chunk_usage AS recent
      WHERE recent.company_id = target.company_id
        AND recent.date BETWEEN target.churn_from AND target.activity_date
    ) AS belongs,
    -- Nothing is published on a new day.
    IIF(target.is_new, NULL, target.activity_date) AS published_on
  FROM targets AS target
  LEFT JOIN chunk_usage AS usage
    ON usage.company_id = target.company_id AND usage.date = target.activity_date
  LEFT JOIN described
    ON described.company_id = target.company_id
    AND target.activity_date >= described.first_day
    AND target.activity_date < described.next_from
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
  ON fact.company_id = computed.company_id AND fact.activity_date = computed.published_on
-- What neither belongs nor is published is nothing at all.
WHERE computed.belongs OR fact.company_id IS NOT NULL
