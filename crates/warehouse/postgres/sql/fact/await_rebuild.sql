-- The days that run $1 was asked to rebuild wait for it from now on, whatever becomes of the run.
INSERT INTO rebuild_days (activity_date)
SELECT UNNEST(rebuild_days) FROM pipeline_runs WHERE run_id = $1
ON CONFLICT DO NOTHING
