-- Starts a PENDING stage of a run held at epoch $2 whose dependencies have all
-- succeeded. $1 run, $3 stage, $4 now
UPDATE pipeline_run_stages
SET state = 'RUNNING', attempt = attempt + 1, started_at = $4, ended_at = NULL
WHERE run_id = $1
  AND stage = $3
  AND state = 'PENDING'
  AND EXISTS (
    SELECT 1 FROM pipeline_runs WHERE run_id = $1 AND state = 'RUNNING' AND lease_epoch = $2
  )
  AND NOT EXISTS (
    SELECT 1
    FROM json_each(pipeline_run_stages.depends_on) AS dependency
    LEFT JOIN pipeline_run_stages AS upstream
      ON upstream.run_id = $1 AND upstream.stage = dependency.value
    WHERE upstream.state IS NOT 'SUCCEEDED'
  )
RETURNING attempt
