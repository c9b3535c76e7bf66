-- The published days whose CRM columns or membership a changed company may
-- change. $1: the export's day; $2: whether it is the first snapshot of all.
-- A company's first version, and the first snapshot, also speak for the days
-- before; a version speaks until the company's next one.
WITH
published AS (
  SELECT MIN(activity_date) AS oldest, MAX(activity_date) AS newest FROM published_days
),
-- Whether a changed company has an earlier version, and when its next one begins:
-- looked up company by company, as in end_before.sql.
changed AS (
  SELECT changed.company_id, others.has_earlier, others.next_from
  FROM crm_changes AS changed
  CROSS JOIN LATERAL (
    SELECT
      COALESCE(BOOL_OR(effective_from < $1), FALSE) AS has_earlier,
      MIN(effective_from) FILTER (WHERE effective_from > $1) AS next_from
    FROM crm_company_versions
    WHERE company_id = changed.company_id
  ) AS others
  -- Known before anything is read: until the first publish there is nothing to do.
  WHERE (SELECT oldest FROM published) IS NOT NULL
),
affected AS (
  SELECT
    company_id,
    CASE
      WHEN $2::BOOLEAN OR NOT has_earlier THEN published.oldest
      ELSE GREATEST(published.oldest, $1)
    END AS first_day,
    LEAST(published.newest, next_from - 1) AS last_day
  FROM changed
  JOIN published ON published.oldest IS NOT NULL
)
INSERT INTO dirty_company_days (company_id, first_day, last_day)
SELECT company_id, first_day, last_day FROM affected WHERE first_day <= last_day
