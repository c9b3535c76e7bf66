DELETE FROM fact_company_activity
WHERE (company_id, activity_date) IN (
  SELECT company_id, activity_date FROM fact_candidates WHERE change = 'GONE'
)
