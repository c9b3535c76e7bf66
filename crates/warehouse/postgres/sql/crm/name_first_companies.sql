-- The names of the first companies of all. Nothing else is known yet, so none is checked
-- for being known. In one order, as in name_companies.sql.
INSERT INTO known_companies (company_id)
SELECT company_id FROM crm_changes
WHERE is_present AND NOT EXISTS (SELECT FROM known_companies)
ORDER BY company_id
