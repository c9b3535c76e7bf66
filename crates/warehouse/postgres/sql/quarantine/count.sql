-- Groups of rows, the greatest first: by stage, and by kind, file and day where $9, $10
-- and $11 say so; at most $12.
-- $1..$2 files, only this line $3, only deliveries about the days $4..$5, only kind $6,
-- only stage $7, only accepted rows or only others $8; NULL does not filter.
SELECT
  stage,
  CASE WHEN $9::BOOLEAN THEN kind END AS kind,
  CASE WHEN $10::BOOLEAN THEN origin END AS origin,
  CASE WHEN $11::BOOLEAN THEN business_date END AS business_date,
  COUNT(*) AS "rows!"
FROM quarantine
WHERE
  origin BETWEEN $1 AND $2
  AND ($3::BIGINT IS NULL OR line = $3)
  AND ($4::DATE IS NULL OR business_date BETWEEN $4 AND $5::DATE)
  AND ($6::TEXT IS NULL OR kind = $6)
  AND ($7::TEXT IS NULL OR stage = $7)
  AND ($8::BOOLEAN IS NULL OR (accepted_at IS NOT NULL) = $8)
GROUP BY 1, 2, 3, 4
ORDER BY 5 DESC, 1, 2, 3, 4
LIMIT $12
