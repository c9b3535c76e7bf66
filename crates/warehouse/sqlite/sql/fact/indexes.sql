-- The indexes of the fact beside its key: what drops each, and what makes it again.
SELECT
  format('DROP INDEX "%w"', name) AS "removal!: String",
  sql AS "definition!: String"
FROM sqlite_schema
WHERE type = 'index' AND tbl_name = 'fact_company_activity' AND sql IS NOT NULL
