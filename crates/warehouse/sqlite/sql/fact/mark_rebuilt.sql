-- Has the build compute every company of the days $1..$2: those that there are, and those of rows
-- that stand there, whoever wrote them.
INSERT INTO dirty_company_days (company_id, first_day, last_day, is_rebuild)
SELECT company_id, $1, $2, TRUE FROM known_companies
UNION
SELECT company_id, $1, $2, TRUE FROM fact_company_activity WHERE activity_date BETWEEN $1 AND $2
