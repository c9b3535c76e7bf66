-- The run of pipeline $1 that holder $2 may take up now: interrupted ones
-- first, then the oldest queued; none while somebody else's lease is alive.
WITH
clock AS (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms),
active AS (
  SELECT
    run_id, state,
    lease_expires_ms > clock.now_ms AND lease_holder IS NOT $2 AS is_held_by_another
  FROM pipeline_runs, clock
  WHERE pipeline = $1 AND state IN ('QUEUED', 'RUNNING')
)
SELECT run_id
FROM active
WHERE NOT EXISTS (SELECT 1 FROM active WHERE state = 'RUNNING' AND is_held_by_another)
ORDER BY state = 'RUNNING' DESC, run_id
LIMIT 1
