-- What a fence is compared with; the stage's row stays locked until the
-- transaction ends. $1 run, $2 stage
SELECT run.state AS run_state, run.lease_epoch, stage.state AS stage_state, stage.attempt
FROM pipeline_runs AS run
JOIN pipeline_run_stages AS stage USING (run_id)
WHERE run_id = $1 AND stage.stage = $2
FOR NO KEY UPDATE OF stage
