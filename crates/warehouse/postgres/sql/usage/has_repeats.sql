-- Whether any company has several records. As a rule none has, and one pass finds out.
SELECT EXISTS (SELECT 1 FROM usage_incoming GROUP BY company_id HAVING COUNT(*) > 1) AS "has_repeats!"
