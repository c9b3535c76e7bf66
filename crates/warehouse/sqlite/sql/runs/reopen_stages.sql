-- What did not succeed starts over; also the stages in the JSON array $2, which did. $1 run
UPDATE pipeline_run_stages
SET state = 'PENDING', failures = 0, ended_at = NULL
WHERE run_id = $1 AND (state <> 'SUCCEEDED' OR stage IN (SELECT value FROM json_each($2)))
