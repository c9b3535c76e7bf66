-- The candidates of the build's new days in $1..$2, of all companies, computed
-- from the usage of $3..$2; $3 is $1 - 13. The bounds are given as values, not
-- looked up, so that only the partitions that hold them are read.
WITH
days AS (
  SELECT activity_date, snapshot_on FROM fact_build_days WHERE is_new AND activity_date BETWEEN $1 AND $2
),
-- Every calendar day that the days read, with or without usage: so windows of
-- rows are windows of days.
calendar AS (
  SELECT company_id, $3::DATE + number AS day
  FROM known_companies
  CROSS JOIN generate_series(0, $2::DATE - $3::DATE) AS calendar_days (number)
),
-- The usage of those days, and of the 7 and 14 days that end on each.
measured AS (
  SELECT
    calendar.company_id,
    calendar.day,
    COALESCE(usage.active_users, 0) AS active_users,
    COALESCE(usage.events, 0) AS events,
    COALESCE(SUM(usage.active_users) OVER seven_days, 0) AS active_users_7d,
    -- The newest days by then with a record and with an event: they decide for any
    -- number of days, and cost less than a window of fourteen.
    MAX(usage.date) OVER until_day AS recorded_on,
    MAX(usage.date) FILTER (WHERE usage.events > 0) OVER until_day AS active_on
  FROM calendar
  LEFT JOIN stg_product_usage AS usage
    ON usage.company_id = calendar.company_id
    AND usage.date = calendar.day
    AND usage.date BETWEEN $3 AND $2
  WINDOW
    seven_days AS (PARTITION BY calendar.company_id ORDER BY calendar.day ROWS 6 PRECEDING),
    until_day AS (PARTITION BY calendar.company_id ORDER BY calendar.day ROWS UNBOUNDED PRECEDING)
),
-- The days on which each version of a company describes it: until its next one
-- begins, and the first one also before. A version describes the snapshots from
-- effective_from to effective_to, so it also says whether the company is in one.
described AS (
  SELECT
    company_id, effective_from, effective_to, version,
    CASE WHEN LAG(effective_from) OVER by_day IS NULL THEN '-infinity' ELSE effective_from END AS first_day,
    COALESCE(LEAD(effective_from) OVER by_day, 'infinity') AS next_from
  FROM crm_company_versions AS version
  WINDOW by_day AS (PARTITION BY company_id ORDER BY effective_from)
)
INSERT INTO fact_candidates
SELECT (fact_candidate(
  measured.company_id, measured.day, described.version,
  measured.active_users, measured.events, measured.active_users_7d,
  measured.active_on >= measured.day - 13, 'NEW'
)).*
FROM measured
JOIN days ON days.activity_date = measured.day
LEFT JOIN described
  ON described.company_id = measured.company_id
  AND measured.day >= described.first_day
  AND measured.day < described.next_from
WHERE measured.recorded_on >= measured.day - 13
  OR (
    described.effective_from <= days.snapshot_on
    AND (described.effective_to IS NULL OR described.effective_to >= days.snapshot_on)
  )
