-- The newest alerts first: of run $1 unless that is NULL, only open ones if $2, after the one
-- that failed at $3 with the key $4 unless those are NULL, at most $5.
WITH
judged AS (
  SELECT
    alert_outbox.*,
    -- Nobody has published the day since: neither does the ledger say so, nor has a run over it
    -- succeeded, which leaves the ledger alone if nothing changed.
    NOT EXISTS (
      SELECT 1 FROM published_days WHERE activity_date = business_date AND published_at > failed_at
    ) AND NOT EXISTS (
      SELECT 1
      FROM pipeline_runs AS run
      WHERE run.state = 'SUCCEEDED' AND run.run_trigger <> 'UNPUBLISH' AND run.ended_at > failed_at
        AND business_date BETWEEN run.window_start AND run.window_end
    ) AS is_open
  FROM alert_outbox
)
SELECT
  alert_key, pipeline, stage, attempt, error_code, error_message, run_id, business_date AS "business_date: chrono::NaiveDate",
  failed_at AS "failed_at: chrono::DateTime<chrono::Utc>", tries,
  settled_at AS "settled_at: chrono::DateTime<chrono::Utc>", last_problem, cause, is_open AS "is_open!: bool"
FROM judged
WHERE ($1 IS NULL OR run_id = $1)
  AND (NOT $2 OR is_open)
  AND ($3 IS NULL OR (failed_at, alert_key) < ($3, $4))
ORDER BY failed_at DESC, alert_key DESC
LIMIT $5
