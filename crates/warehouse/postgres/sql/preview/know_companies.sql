-- Every company that is known, and those that the product API named for the first time.
INSERT INTO known_companies (company_id)
SELECT company_id FROM warehouse_companies
UNION
SELECT company_id FROM usage_differences WHERE active_users IS NOT NULL
