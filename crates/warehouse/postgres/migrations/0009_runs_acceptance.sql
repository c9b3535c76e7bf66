-- Days of a run of which a person has said that the source's answer is right,
-- however little it holds. Programs that do not know the column accept none.
ALTER TABLE pipeline_runs ADD COLUMN accept_empty_days DATE[] NOT NULL DEFAULT '{}';

-- What an alert tells of. What programs that do not know it write is a failed stage.
ALTER TABLE alert_outbox ADD COLUMN cause TEXT NOT NULL DEFAULT 'STAGE_FAILED';
