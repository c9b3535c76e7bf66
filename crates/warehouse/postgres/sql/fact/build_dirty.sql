-- The candidates of what is dirty on the build's published days in $1..$2,
-- computed from the usage of $3..$2; $3 is $1 - 13. Everything is looked up
-- company by company, so one late record costs what one company costs, and no
-- plan scans a month for it. OFFSET 0 keeps the planner to that.
WITH
targets AS MATERIALIZED (
  SELECT DISTINCT company_id, activity_date, snapshot_on
  FROM dirty_company_days
  JOIN fact_build_days ON NOT is_new AND activity_date BETWEEN first_day AND last_day
  WHERE activity_date BETWEEN $1 AND $2 AND first_day <= $2 AND last_day >= $1
),
companies AS MATERIALIZED (
  SELECT company_id, MIN(activity_date) AS first_day, MAX(activity_date) AS last_day
  FROM targets
  GROUP BY company_id
),
-- The usage of every calendar day that a company's targets read, and of the 7
-- and 14 days that end on each.
measured AS (
  SELECT companies.company_id, usage.*
  FROM companies
  CROSS JOIN LATERAL (
    SELECT
      day,
      COALESCE(active_users, 0) AS active_users,
      COALESCE(events, 0) AS events,
      COALESCE(SUM(active_users) OVER seven_days, 0) AS active_users_7d,
      MAX(date) OVER until_day AS recorded_on,
      MAX(date) FILTER (WHERE events > 0) OVER until_day AS active_on
    FROM (
      SELECT first_day - 13 + number AS day FROM generate_series(0, last_day - first_day + 13) AS days (number)
    ) AS calendar
    LEFT JOIN (
      SELECT date, active_users, events
      FROM stg_product_usage
      WHERE company_id = companies.company_id
        AND date BETWEEN first_day - 13 AND last_day
        AND date BETWEEN $3 AND $2
      OFFSET 0
    ) AS records ON date = day
    WINDOW
      seven_days AS (ORDER BY day ROWS 6 PRECEDING),
      until_day AS (ORDER BY day ROWS UNBOUNDED PRECEDING)
  ) AS usage
),
-- The days on which each version of a company describes it: until its next one
-- begins, and the first one also before. A version describes the snapshots from
-- effective_from to effective_to, so it also says whether the company is in one.
versions AS (
  SELECT companies.company_id, spoken.*
  FROM companies
  CROSS JOIN LATERAL (
    SELECT
      effective_from, effective_to, version,
      CASE WHEN LAG(effective_from) OVER by_day IS NULL THEN '-infinity' ELSE effective_from END AS first_day,
      COALESCE(LEAD(effective_from) OVER by_day, 'infinity') AS next_from
    FROM crm_company_versions AS version
    WHERE company_id = companies.company_id
    WINDOW by_day AS (ORDER BY effective_from)
  ) AS spoken
),
-- What the inputs decide.
computed AS (
  SELECT
    target.company_id,
    target.activity_date,
    fact_candidate(
      target.company_id, target.activity_date, spoken.version,
      measured.active_users, measured.events, measured.active_users_7d,
      measured.active_on >= target.activity_date - 13, 'NEW'
    ) AS candidate,
    (
      measured.recorded_on >= target.activity_date - 13 OR (
        spoken.effective_from <= target.snapshot_on
        AND (spoken.effective_to IS NULL OR spoken.effective_to >= target.snapshot_on)
      )
    ) IS TRUE AS belongs
  FROM targets AS target
  JOIN measured ON measured.company_id = target.company_id AND measured.day = target.activity_date
  LEFT JOIN versions AS spoken
    ON spoken.company_id = target.company_id
    AND target.activity_date >= spoken.first_day
    AND target.activity_date < spoken.next_from
)
INSERT INTO fact_candidates
SELECT (with_change(
  computed.candidate,
  CASE
    WHEN NOT computed.belongs THEN 'GONE'
    WHEN published.company_id IS NULL THEN 'NEW'
    WHEN is_published_as(published.fact, computed.candidate) THEN 'EQUAL'
    ELSE 'CHANGED'
  END
)).*
FROM computed
LEFT JOIN LATERAL (
  SELECT company_id, fact
  FROM fact_company_activity AS fact
  WHERE company_id = computed.company_id
    AND activity_date = computed.activity_date
    AND activity_date BETWEEN $1 AND $2
  OFFSET 0
) AS published ON TRUE
-- What neither belongs nor is published is nothing at all.
WHERE computed.belongs OR published.company_id IS NOT NULL
