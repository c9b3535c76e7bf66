-- The days that run $1 was asked to rebuild wait for it from now on, whatever becomes of the run.
INSERT OR IGNORE INTO rebuild_days (activity_date)
SELECT value FROM pipeline_runs, json_each(rebuild_days) WHERE run_id = $1
