-- A new first snapshot, $1: companies that are in it as in the first one so far, $2, now
-- begin with it. NOT IN as in extend_unchanged_to.sql.
UPDATE crm_company_versions
SET effective_from = $1
WHERE effective_from = $2
  AND company_id NOT IN (SELECT company_id FROM crm_changes)
