-- What a fence is compared with. $1 run, $2 stage
SELECT run.state AS run_state, run.lease_epoch, stage.state AS stage_state, stage.attempt
FROM pipeline_runs AS run
JOIN pipeline_run_stages AS stage USING (run_id)
WHERE run_id = $1 AND stage.stage = $2
