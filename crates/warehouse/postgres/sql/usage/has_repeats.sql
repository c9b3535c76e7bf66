-- Whether any company has several records, of a day so large that this is not known from
-- reading it, or that seems to have some.
SELECT EXISTS (SELECT 1 FROM usage_incoming GROUP BY company_id HAVING COUNT(*) > 1) AS "has_repeats!"
