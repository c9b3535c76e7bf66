-- The newest alerts first: of run $1 unless that is NULL, only open ones if $2, after the one
-- that failed at $3 with the key $4 unless those are NULL, at most $5.
WITH
-- A page, to judge no others. Of open ones nobody knows beforehand how many to look at.
listed AS (
  SELECT *
  FROM alert_outbox
  WHERE ($1::UUID IS NULL OR run_id = $1)
    AND ($3::TIMESTAMPTZ IS NULL OR (failed_at, alert_key) < ($3, $4::TEXT))
  ORDER BY failed_at DESC, alert_key DESC
  LIMIT CASE WHEN $2::BOOLEAN THEN NULL ELSE $5::BIGINT END
),
-- The days that each is about: all of its run. A missed deadline is about its own day,
-- whichever run was to publish it.
scoped AS (
  SELECT
    listed.*,
    COALESCE(own.state = 'SUCCEEDED', FALSE) AS has_succeeded,
    COALESCE(own.run_trigger = 'UNPUBLISH', FALSE) AS takes_back,
    COALESCE(own.window_start, business_date) AS first_day,
    COALESCE(own.window_end, business_date) AS last_day
  FROM listed
  LEFT JOIN pipeline_runs AS own ON own.run_id = listed.run_id AND listed.cause NOT LIKE 'DEADLINE%'
),
judged AS (
  SELECT
    scoped.*,
    -- Nobody has put it right since: neither has its run succeeded after all, nor does the ledger
    -- say that all days were published, nor has another run over them succeeded, which leaves
    -- the ledger alone if nothing changed.
    NOT has_succeeded
    AND (
      SELECT COUNT(*)
      FROM published_days
      WHERE activity_date BETWEEN first_day AND last_day AND published_at > failed_at
    ) < last_day - first_day + 1
    AND NOT EXISTS (
      SELECT 1
      FROM pipeline_runs AS run
      WHERE run.state = 'SUCCEEDED' AND (run.run_trigger = 'UNPUBLISH') = takes_back
        AND run.ended_at > failed_at AND run.window_start <= first_day AND run.window_end >= last_day
    ) AS is_open
  FROM scoped
)
SELECT
  alert_key, pipeline, stage, attempt, error_code, error_message, run_id, business_date, failed_at, tries,
  settled_at, last_problem, cause, is_open AS "is_open!"
FROM judged
WHERE NOT $2::BOOLEAN OR is_open
ORDER BY failed_at DESC, alert_key DESC
LIMIT $5
