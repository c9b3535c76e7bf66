-- The stages that an earlier holder of run $1 left RUNNING start over.
UPDATE pipeline_run_stages
SET state = 'PENDING'
WHERE run_id = $1 AND state = 'RUNNING'
RETURNING stage
