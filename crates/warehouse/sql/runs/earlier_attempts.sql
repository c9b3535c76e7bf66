-- The last $2 attempts of each stage of run $1 that did not succeed, in order. One that still runs
-- is not on record yet.
SELECT
  stage AS "stage!", attempt AS "attempt!",
  started_at AS "started_at!: chrono::DateTime<chrono::Utc>",
  ended_at AS "ended_at!: chrono::DateTime<chrono::Utc>",
  error_code AS "error_code!", error_message AS "error_message!", is_interruption AS "is_interruption!: bool"
FROM (
  SELECT
    ended.*,
    ROW_NUMBER() OVER (PARTITION BY ended.stage ORDER BY ended.attempt DESC) AS nth_last
  FROM pipeline_stage_attempts AS ended
  WHERE ended.run_id = $1
) AS latest
WHERE nth_last <= $2
ORDER BY stage, attempt
