-- The companies of day $1 that have a published row or a staged record, and which of the two
-- they have.
WITH
-- A month that is published later is attached with rows from before it: the ledger decides.
published AS (
  SELECT company_id, active_users, events
  FROM fact_company_activity
  WHERE activity_date = $1 AND EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1)
),
staged AS (
  SELECT company_id, active_users, events FROM stg_product_usage WHERE date = $1
),
-- Whose row of the day waits to be computed again. What a run is to rebuild waits for that run alone.
waiting AS (
  SELECT DISTINCT company_id FROM dirty_company_days
  WHERE $1 BETWEEN first_day AND last_day AND NOT is_rebuild
)
SELECT
  company_id AS "company_id!: String",
  published.active_users AS "published_users?: i32", published.events AS "published_events?: i64",
  staged.active_users AS "staged_users?: i32", staged.events AS "staged_events?: i64",
  waiting.company_id IS NOT NULL AS "waits!: bool"
FROM published
FULL JOIN staged USING (company_id)
LEFT JOIN waiting USING (company_id)
ORDER BY company_id
