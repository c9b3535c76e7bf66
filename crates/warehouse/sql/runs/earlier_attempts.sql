-- The last $2 attempts of each stage of run $1 that did not succeed and are not its newest, in
-- order.
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
  JOIN pipeline_run_stages AS newest ON newest.run_id = ended.run_id AND newest.stage = ended.stage
  WHERE ended.run_id = $1 AND ended.attempt < newest.attempt
) AS earlier
WHERE nth_last <= $2
ORDER BY stage, attempt
