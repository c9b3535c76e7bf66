-- What operators asked for, and how it ended. The two are tables apart because nothing
-- here ever changes: an action is recorded before it is done, its end afterwards.
CREATE TABLE audit_actions (
  action_id    BIGINT           NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  action       TEXT COLLATE "C" NOT NULL,
  actor        TEXT             NOT NULL,
  address      TEXT,
  details      TEXT             NOT NULL,
  requested_at TIMESTAMPTZ      NOT NULL
);
CREATE TABLE audit_ends (
  action_id BIGINT      NOT NULL PRIMARY KEY REFERENCES audit_actions (action_id),
  outcome   TEXT        NOT NULL,
  message   TEXT        NOT NULL,
  ended_at  TIMESTAMPTZ NOT NULL
);

-- Services own these tables, so no missing right would stop them: a trigger does.
CREATE FUNCTION refuse_audit_change() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is only ever added to: no % of %', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_actions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_actions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_ends_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_ends
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Who asked for a run. NULL for runs of programs that do not know the column.
ALTER TABLE pipeline_runs ADD COLUMN requested_by TEXT;
