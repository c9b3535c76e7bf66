-- The candidates of the build's days $1..$2, computed from the usage of $3..$2;
-- $3 is $1 - 13. The bounds are given as values, not looked up, so that only the
-- partitions that hold them are read.
WITH
days AS MATERIALIZED (
  SELECT activity_date, snapshot_on, is_new FROM fact_build_days WHERE activity_date BETWEEN $1 AND $2
),
-- What to compute: every company on days not yet published ...
targets AS MATERIALIZED (
  SELECT company_id, activity_date, snapshot_on
  FROM known_companies
  JOIN days ON is_new
  UNION ALL
  -- ... and what is dirty on published ones.
  SELECT DISTINCT company_id, activity_date, snapshot_on
  FROM dirty_company_days
  JOIN days ON NOT is_new AND activity_date BETWEEN first_day AND last_day
  WHERE first_day <= $2 AND last_day >= $1
),
-- Every calendar day that the targets' companies read, with or without usage:
-- so windows of rows are windows of days.
calendar AS (
  SELECT company_id, day::DATE AS day
  FROM (SELECT DISTINCT company_id FROM targets) AS companies
  CROSS JOIN generate_series($3::DATE, $2::DATE, INTERVAL '1 day') AS calendar_days (day)
),
-- The usage of those days, and of the 7 and 14 days that end on each.
measured AS (
  SELECT
    calendar.company_id,
    calendar.day,
    COALESCE(usage.active_users, 0) AS active_users,
    COALESCE(usage.events, 0) AS events,
    COALESCE(SUM(usage.active_users) OVER seven_days, 0) AS active_users_7d,
    -- Counted, not summed: fourteen days of events need not fit one integer.
    COUNT(*) FILTER (WHERE usage.events > 0) OVER fourteen_days AS active_days_14d,
    COUNT(usage.date) OVER fourteen_days AS usage_records
  FROM calendar
  LEFT JOIN stg_product_usage AS usage
    ON usage.company_id = calendar.company_id
    AND usage.date = calendar.day
    AND usage.date BETWEEN $3 AND $2
  WINDOW
    seven_days AS (PARTITION BY calendar.company_id ORDER BY calendar.day ROWS 6 PRECEDING),
    fourteen_days AS (PARTITION BY calendar.company_id ORDER BY calendar.day ROWS 13 PRECEDING)
),
-- The days on which each version of a company describes it: until its next one
-- begins, and the first one also before. A version describes the snapshots from
-- effective_from to effective_to, so it also tells whether the company is in one.
versions AS (
  SELECT
    company_id, effective_from, effective_to, name, country, industry_tag, last_contact_at,
    CASE WHEN LAG(effective_from) OVER by_day IS NULL THEN '-infinity' ELSE effective_from END AS first_day,
    COALESCE(LEAD(effective_from) OVER by_day, 'infinity') AS next_from
  FROM crm_company_versions
  WINDOW by_day AS (PARTITION BY company_id ORDER BY effective_from)
),
-- The 12 columns that the inputs decide.
computed AS (
  SELECT
    target.company_id,
    target.activity_date,
    version.name AS company_name,
    version.country,
    version.industry_tag,
    version.last_contact_at,
    measured.active_users,
    measured.events,
    measured.active_users_7d,
    measured.active_days_14d = 0 AS is_churn_risk,
    measured.events::DOUBLE PRECISION / NULLIF(measured.active_users, 0) AS events_per_user,
    target.activity_date - (version.last_contact_at AT TIME ZONE 'UTC')::DATE AS days_since_last_contact,
    measured.usage_records > 0 OR (
      version.effective_from <= target.snapshot_on
      AND (version.effective_to IS NULL OR version.effective_to >= target.snapshot_on)
    ) IS TRUE AS belongs
  FROM targets AS target
  JOIN measured ON measured.company_id = target.company_id AND measured.day = target.activity_date
  LEFT JOIN versions AS version
    ON version.company_id = target.company_id
    AND target.activity_date >= version.first_day
    AND target.activity_date < version.next_from
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
    ) IS DISTINCT FROM (
      computed.company_name, computed.country, computed.industry_tag, computed.last_contact_at,
      computed.active_users, computed.events, computed.active_users_7d, computed.is_churn_risk,
      computed.events_per_user, computed.days_since_last_contact
    ) THEN 'CHANGED'
    ELSE 'EQUAL'
  END
FROM computed
LEFT JOIN fact_company_activity AS fact
  ON fact.company_id = computed.company_id
  AND fact.activity_date = computed.activity_date
  AND fact.activity_date BETWEEN $1 AND $2
-- What neither belongs nor is published is nothing at all.
WHERE computed.belongs OR fact.company_id IS NOT NULL
