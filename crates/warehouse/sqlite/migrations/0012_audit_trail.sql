-- What operators asked for, and how it ended. The two are tables apart because nothing
-- here ever changes: an action is recorded before it is done, its end afterwards.
CREATE TABLE audit_actions (
  action_id    INTEGER NOT NULL PRIMARY KEY,
  action       TEXT    NOT NULL,
  actor        TEXT    NOT NULL,
  address      TEXT,
  details      TEXT    NOT NULL,
  requested_at TEXT    NOT NULL
);
CREATE TABLE audit_ends (
  action_id INTEGER NOT NULL PRIMARY KEY REFERENCES audit_actions (action_id),
  outcome   TEXT    NOT NULL,
  message   TEXT    NOT NULL,
  ended_at  TEXT    NOT NULL
);

CREATE TRIGGER audit_actions_are_not_changed BEFORE UPDATE ON audit_actions
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER audit_actions_are_not_removed BEFORE DELETE ON audit_actions
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER audit_ends_are_not_changed BEFORE UPDATE ON audit_ends
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER audit_ends_are_not_removed BEFORE DELETE ON audit_ends
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

-- INSERT OR REPLACE removes a row without the triggers above.
CREATE TRIGGER audit_actions_are_not_replaced BEFORE INSERT ON audit_actions
WHEN EXISTS (SELECT 1 FROM audit_actions WHERE action_id = NEW.action_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;
CREATE TRIGGER audit_ends_are_not_replaced BEFORE INSERT ON audit_ends
WHEN EXISTS (SELECT 1 FROM audit_ends WHERE action_id = NEW.action_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

-- Who asked for a run. NULL for runs of programs that do not know the column.
ALTER TABLE pipeline_runs ADD COLUMN requested_by TEXT;
