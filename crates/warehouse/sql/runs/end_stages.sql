-- The stages of run $1 that have not ended, go to $2. $3 now
UPDATE pipeline_run_stages
SET state = $2, ended_at = $3
WHERE run_id = $1 AND state IN ('PENDING', 'RUNNING')
