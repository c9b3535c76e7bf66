-- Of company $1 and day $2: whether a source ever named the company, whether a staged change
-- of the company-day waits to be published, since when replaced rows are on record, and which
-- days are published.
SELECT
  EXISTS (SELECT 1 FROM known_companies WHERE company_id = $1) AS "is_known!: bool",
  EXISTS (SELECT 1 FROM dirty_company_days WHERE company_id = $1 AND $2 BETWEEN first_day AND last_day AND NOT is_rebuild)
    AS "is_waiting!: bool",
  history_since AS "history_since: chrono::DateTime<chrono::Utc>",
  (SELECT MIN(activity_date) FROM published_days) AS "oldest: chrono::NaiveDate",
  (SELECT MAX(activity_date) FROM published_days) AS "newest: chrono::NaiveDate"
FROM warehouse_versions
