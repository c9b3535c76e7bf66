-- The published days whose CRM columns or membership a changed company may
-- change. $1: the export's day; $2: whether it is the first snapshot of all.
-- A company's first version, and the first snapshot, also speak for the days
-- before; a version speaks until the company's next one.
WITH
published AS (
  SELECT MIN(activity_date) AS oldest, MAX(activity_date) AS newest FROM published_days
),
affected AS (
  SELECT
    changed.company_id,
    CASE
      WHEN $2 OR NOT EXISTS (
        SELECT 1 FROM crm_company_versions AS earlier
        WHERE earlier.company_id = changed.company_id AND earlier.effective_from < $1
      ) THEN published.oldest
      ELSE MAX(published.oldest, $1)
    END AS first_day,
    MIN(published.newest, COALESCE((
      SELECT date(MIN(later.effective_from), '-1 day') FROM crm_company_versions AS later
      WHERE later.company_id = changed.company_id AND later.effective_from > $1
    ), published.newest)) AS last_day
  FROM crm_changes AS changed
  JOIN published ON published.oldest IS NOT NULL
)
INSERT INTO dirty_company_days (company_id, first_day, last_day)
SELECT company_id, first_day, last_day FROM affected WHERE first_day <= last_day
