-- What this role may do with the schema. Columns about the schema are NULL while there is none,
-- or where the role may not even look into it.
SELECT
  CURRENT_USER::TEXT AS "role!",
  ledger.relowner::REGROLE::TEXT AS owner,
  has_table_privilege(ledger.oid, 'SELECT') AS may_read,
  -- One of the tables that every service with work to do changes.
  has_table_privilege(to_regclass('warehouse_versions'), 'UPDATE') AS may_write,
  COALESCE(has_schema_privilege(CURRENT_SCHEMA, 'CREATE'), FALSE)
    AND COALESCE(pg_has_role(ledger.relowner, 'USAGE'), TRUE) AS "may_migrate!",
  pg_is_in_recovery() OR current_setting('transaction_read_only')::BOOLEAN AS "is_read_only!"
FROM (VALUES (to_regclass('_sqlx_migrations'))) AS migrations (oid)
LEFT JOIN pg_class AS ledger USING (oid)
