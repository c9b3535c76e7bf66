-- The next $2 companies after $1 that a build has to look at: all of them if a
-- day is new, else only those with something dirty.
WITH
-- Each source hands over its next $2 along an index: a UNION of everything
-- after $1 would be sorted anew for every chunk.
known AS (
  SELECT company_id FROM known_companies
  WHERE company_id > $1 AND EXISTS (SELECT 1 FROM fact_build_days WHERE is_new)
  ORDER BY company_id LIMIT $2
),
dirty AS (
  SELECT DISTINCT company_id FROM dirty_company_days
  WHERE company_id > $1
  ORDER BY company_id LIMIT $2
)
INSERT INTO chunk_companies (company_id)
SELECT company_id FROM known
UNION
SELECT company_id FROM dirty
ORDER BY company_id LIMIT $2
