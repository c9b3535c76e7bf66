-- The candidates of the companies after $1 up to $2.
WITH RECURSIVE
-- How far back computing a day reads: 14 days with the day itself.
back (days) AS (
  SELECT 0
  UNION ALL
  SELECT days + 1 FROM back WHERE days < 13
),
-- What to compute on published days: what is dirty.
dirty AS MATERIALIZED (
  SELECT DISTINCT company_id, activity_date
  FROM dirty_company_days
  JOIN fact_build_days ON NOT is_new AND activity_date BETWEEN first_day AND last_day
  WHERE company_id > $1 AND company_id <= $2
),
-- The days that new days read.
calendar AS MATERIALIZED (
  SELECT DISTINCT date(activity_date, '-' || days || ' days') AS day
  FROM fact_build_days
  CROSS JOIN back
  WHERE is_new
),
-- Every calendar day that a company-day to compute reads, with or without usage, so that
-- windows of rows are windows of days: on new days of every company ...
calendar_days AS (
  SELECT known.company_id, calendar.day
  FROM known_companies AS known
  CROSS JOIN calendar
  WHERE known.company_id > $1 AND known.company_id <= $2
  UNION
  -- ... and of what is dirty.
  SELECT company_id, date(activity_date, '-' || days || ' days')
  FROM dirty
  CROSS JOIN back
  ORDER BY 1, 2
),
-- The usage of those days, and of the 7 days that end on each.
measured AS (
  SELECT
    each.company_id,
    each.day,
    COALESCE(usage.active_users, 0) AS active_users,
    COALESCE(usage.events, 0) AS events,
    COALESCE(SUM(usage.active_users) OVER seven_days, 0) AS active_users_7d,
    -- The newest days by then with a record and with an event: they decide for any
    -- number of days, and cost less than a window of fourteen.
    MAX(usage.date) OVER until_day AS recorded_on,
    MAX(usage.date) FILTER (WHERE usage.events > 0) OVER until_day AS active_on
  FROM calendar_days AS each
  LEFT JOIN stg_product_usage AS usage ON usage.date = each.day AND usage.company_id = each.company_id
  WINDOW
    seven_days AS (PARTITION BY each.company_id ORDER BY each.day ROWS 6 PRECEDING),
    until_day AS (PARTITION BY each.company_id ORDER BY each.day ROWS UNBOUNDED PRECEDING)
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
    measured.company_id,
    day.activity_date,
    described.name AS company_name,
    described.country,
    described.industry_tag,
    described.last_contact_at,
    measured.active_users,
    measured.events,
    measured.active_users_7d,
    COALESCE(measured.active_on < day.churn_from, TRUE) AS is_churn_risk,
    CAST(measured.events AS REAL) / NULLIF(measured.active_users, 0) AS events_per_user,
    CAST(julianday(day.activity_date) - described.contact_day AS INTEGER) AS days_since_last_contact,
    COALESCE(measured.recorded_on >= day.churn_from, FALSE) OR (
      described.effective_from <= day.snapshot_on
      AND (described.effective_to IS NULL OR described.effective_to >= day.snapshot_on)
    ) AS belongs,
    -- Nothing is published on a new day.
    IIF(day.is_new, NULL, day.activity_date) AS published_on
  FROM measured
  JOIN fact_build_days AS day ON day.activity_date = measured.day
  LEFT JOIN described
    ON described.company_id = measured.company_id
    AND measured.day >= described.first_day
    AND measured.day < described.next_from
  -- The other days were only read.
  WHERE day.is_new OR (measured.company_id, measured.day) IN (SELECT company_id, activity_date FROM dirty)
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
    WHEN computed.belongs IS NOT TRUE THEN 'GONE'
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
