-- The candidates of the companies in chunk_companies, from their usage in chunk_usage.
WITH
-- The days of the build. Days are compared by their numbers, as in chunk_usage: to compare
-- columns of dates, SQLite first tries to read each of them as a number.
days AS MATERIALIZED (
  SELECT
    activity_date, is_new,
    CAST(julianday(activity_date) + 0.5 AS INTEGER) AS day,
    CAST(julianday(snapshot_on) + 0.5 AS INTEGER) AS snapshot
  FROM fact_build_days
),
-- The versions of each company: from which to which snapshot it is in the CRM with them, and
-- what they say. A company without any version has one row of nothing.
versions AS (
  SELECT
    company.number, company.company_id, version.name, version.country, version.industry_tag,
    version.last_contact_at,
    CAST(julianday(date(version.last_contact_at)) + 0.5 AS INTEGER) AS contact_day,
    CAST(julianday(version.effective_from) + 0.5 AS INTEGER) AS first_snapshot,
    COALESCE(CAST(julianday(version.effective_to) + 0.5 AS INTEGER), 9999999) AS last_snapshot
  FROM chunk_companies AS company
  LEFT JOIN crm_company_versions AS version ON version.company_id = company.company_id
),
-- Which days they describe: until the next one begins, and the first one also before.
described AS MATERIALIZED (
  SELECT
    versions.*,
    IIF(LAG(first_snapshot) OVER by_day IS NULL, 0, first_snapshot) AS first_day,
    COALESCE(LEAD(first_snapshot) OVER by_day, 9999999) AS next_from
  FROM versions
  WINDOW by_day AS (PARTITION BY number ORDER BY first_snapshot)
),
-- Company-days of published days that are dirty.
dirty AS MATERIALIZED (
  SELECT DISTINCT
    company.number, day.activity_date,
    CAST(julianday(day.activity_date) + 0.5 AS INTEGER) AS day,
    CAST(julianday(day.snapshot_on) + 0.5 AS INTEGER) AS snapshot
  FROM chunk_companies AS company
  JOIN dirty_company_days AS dirty ON dirty.company_id = company.company_id
  -- Not from `days`, which has no index.
  JOIN fact_build_days AS day
    ON NOT day.is_new AND day.activity_date BETWEEN dirty.first_day AND dirty.last_day
),
-- What to compute: every company on days not yet published, company by company, for that is
-- the order of the candidates ...
targets AS (
  SELECT
    described.*, day.activity_date, day.day, day.snapshot,
    described.number * 10000000 + day.day AS slot,
    -- Nothing is published on a new day.
    NULL AS published_on
  FROM described
  CROSS JOIN days AS day
    ON day.is_new AND day.day >= described.first_day AND day.day < described.next_from
  UNION ALL
  -- ... and what is dirty on published ones.
  SELECT
    described.*, dirty.activity_date, dirty.day, dirty.snapshot,
    described.number * 10000000 + dirty.day,
    dirty.activity_date
  FROM dirty
  JOIN described
    ON described.number = dirty.number
    AND dirty.day >= described.first_day AND dirty.day < described.next_from
),
-- The 12 columns that the inputs decide.
computed AS (
  SELECT
    target.company_id,
    target.activity_date,
    target.name AS company_name,
    target.country,
    target.industry_tag,
    target.last_contact_at,
    COALESCE(usage.active_users, 0) AS active_users,
    COALESCE(usage.events, 0) AS events,
    (
      SELECT COALESCE(SUM(recent.active_users), 0) FROM chunk_usage AS recent
      WHERE recent.slot BETWEEN target.slot - 6 AND target.slot
    ) AS active_users_7d,
    COALESCE(usage.events, 0) = 0 AND NOT EXISTS (
      SELECT 1 FROM chunk_usage AS recent
      WHERE recent.slot BETWEEN target.slot - 13 AND target.slot AND recent.events > 0
    ) AS is_churn_risk,
    CAST(usage.events AS REAL) / NULLIF(usage.active_users, 0) AS events_per_user,
    target.day - target.contact_day AS days_since_last_contact,
    (target.snapshot BETWEEN target.first_snapshot AND target.last_snapshot) IS TRUE OR EXISTS (
      SELECT 1 FROM chunk_usage AS recent
      WHERE recent.slot BETWEEN target.slot - 13 AND target.slot
    ) AS belongs,
    target.published_on
  FROM targets AS target
  LEFT JOIN chunk_usage AS usage ON usage.slot = target.slot
  -- All of them. Without a LIMIT, SQLite computes a column again wherever it is used below.
  LIMIT -1
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
