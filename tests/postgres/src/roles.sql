-- What docs/operations.md has an administrator create, without passwords.
SELECT pg_advisory_lock(hashtext('test_activity_roles'));
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_writer') THEN
    CREATE ROLE activity_writer NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'activity_reader') THEN
    CREATE ROLE activity_reader NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'test_activity_reader') THEN
    CREATE ROLE test_activity_owner LOGIN;
    CREATE ROLE test_activity_writer LOGIN IN ROLE activity_writer;
    CREATE ROLE test_activity_reader LOGIN IN ROLE activity_reader;
  END IF;
END;
$$;
SELECT pg_advisory_unlock(hashtext('test_activity_roles'));
