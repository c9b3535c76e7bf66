-- In one order, so that two loads that name the same new companies do not block each other.
-- Each is looked up: OFFSET 0 keeps the planner from reading all names for a few changes.
INSERT INTO known_companies (company_id)
SELECT company_id FROM crm_changes AS changed
WHERE is_present
  AND NOT EXISTS (SELECT 1 FROM known_companies AS known WHERE known.company_id = changed.company_id OFFSET 0)
ORDER BY company_id
ON CONFLICT (company_id) DO NOTHING
