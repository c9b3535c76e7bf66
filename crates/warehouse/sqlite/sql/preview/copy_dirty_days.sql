-- What the warehouse itself has marked dirty; not what a rebuild marked, which is of its build.
INSERT INTO dirty_company_days (company_id, first_day, last_day)
SELECT company_id, first_day, last_day
FROM main.dirty_company_days
WHERE NOT is_rebuild
