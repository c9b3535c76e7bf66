-- Whether any company has several rows. As a rule none has, and one pass tells.
SELECT EXISTS (SELECT 1 FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1) AS "has_repeats!"
