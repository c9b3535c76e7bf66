-- Whether any company has several rows, of an export so large that this is not known from
-- reading it, or that seems to have some.
SELECT EXISTS (SELECT 1 FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1) AS "has_repeats!"
