-- Makes every company-day of the published days to rebuild dirty: of the companies that there are,
-- and of the rows that stand there, whoever wrote them.
INSERT INTO dirty_company_days (company_id, first_day, last_day)
SELECT company_id, activity_date, activity_date
FROM rebuild_days
JOIN published_days USING (activity_date)
CROSS JOIN known_companies
UNION
SELECT fact.company_id, activity_date, activity_date
FROM rebuild_days
JOIN published_days USING (activity_date)
JOIN fact_company_activity AS fact USING (activity_date)
