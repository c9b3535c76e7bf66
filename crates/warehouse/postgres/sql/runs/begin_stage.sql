-- Starts a PENDING stage whose dependencies have all succeeded. $1 run, $2 stage, $3 now
UPDATE pipeline_run_stages AS starting
SET state = 'RUNNING', attempt = attempt + 1, started_at = $3, ended_at = NULL
WHERE run_id = $1
  AND stage = $2
  AND state = 'PENDING'
  AND NOT EXISTS (
    SELECT 1
    FROM UNNEST(starting.depends_on) AS dependency
    LEFT JOIN pipeline_run_stages AS upstream ON upstream.run_id = $1 AND upstream.stage = dependency
    WHERE upstream.state IS DISTINCT FROM 'SUCCEEDED'
  )
RETURNING attempt
