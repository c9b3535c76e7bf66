-- Whether any company has several rows. As a rule none has, and one pass finds out.
SELECT EXISTS (SELECT 1 FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1) AS "has_repeats!"
