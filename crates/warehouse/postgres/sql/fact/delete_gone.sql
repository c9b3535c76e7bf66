-- $1..$2: the days of the build.
DELETE FROM fact_company_activity AS fact
USING fact_candidates AS candidate
WHERE candidate.change = 'GONE'
  AND fact.company_id = candidate.company_id
  AND fact.activity_date = candidate.activity_date
  AND fact.activity_date BETWEEN $1 AND $2
