INSERT INTO pipeline_run_stages (run_id, stage, position, service, depends_on, state)
VALUES ($1, $2, $3, $4, $5, 'PENDING')
