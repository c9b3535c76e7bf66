-- Queues run $1 again; its trace goes on at $2.
UPDATE pipeline_runs
SET state = 'QUEUED', ended_at = NULL, traceparent = $2
WHERE run_id = $1
