-- $1: now, their loaded_at. $2: months that are published already, whole. What is
-- new was not published when it was computed, and nothing has been since. In the
-- order of the index by date, which then only grows at its end.
INSERT INTO fact_company_activity
SELECT (published_row(candidate, $1)).*
FROM fact_candidates AS candidate
WHERE change = 'NEW'
  AND (CARDINALITY($2::DATE[]) = 0 OR date_trunc('month', activity_date)::DATE <> ALL ($2))
ORDER BY activity_date, company_id
