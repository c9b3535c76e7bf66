-- Records the newest attempt of a stage as one that did not succeed. $1 run, $2 stage, $3 now,
-- $4 code, $5 message, $6 whether it was cut off
INSERT INTO pipeline_stage_attempts (
  run_id, stage, attempt, started_at, ended_at, error_code, error_message, is_interruption
)
SELECT run_id, stage, attempt, COALESCE(started_at, $3), $3, $4, $5, $6
FROM pipeline_run_stages
WHERE run_id = $1 AND stage = $2
