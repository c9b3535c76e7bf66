-- What did not succeed starts over; also the stage $2 unless $3. $1 run
UPDATE pipeline_run_stages
SET state = 'PENDING', failures = 0, ended_at = NULL
WHERE run_id = $1 AND (state <> 'SUCCEEDED' OR (stage = $2 AND NOT $3::BOOLEAN))
