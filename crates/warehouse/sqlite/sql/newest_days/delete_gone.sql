-- Removes what the candidates take away of the newest days.
DELETE FROM newest_day_rows
WHERE (activity_date, company_id) IN (
  SELECT activity_date, company_id
  FROM fact_candidates
  WHERE change = 'GONE' AND activity_date IN (SELECT activity_date FROM newest_days)
)
