-- Groups of rows, the greatest first: by stage, and by kind, file and day where $9, $10
-- and $11 say so; at most $12.
-- $1..$2 files, only this line $3, only deliveries about the days $4..$5, only kind $6,
-- only stage $7, only accepted rows or only others $8; NULL does not filter.
SELECT
  stage,
  CASE WHEN $9 THEN kind END AS "kind: String",
  CASE WHEN $10 THEN origin END AS "origin: String",
  CASE WHEN $11 THEN business_date END AS "business_date: chrono::NaiveDate",
  COUNT(*) AS "rows!: i64"
FROM quarantine
WHERE
  origin BETWEEN $1 AND $2
  AND ($3 IS NULL OR line = $3)
  AND ($4 IS NULL OR business_date BETWEEN $4 AND $5)
  AND ($6 IS NULL OR kind = $6)
  AND ($7 IS NULL OR stage = $7)
  AND ($8 IS NULL OR (accepted_at IS NOT NULL) = $8)
GROUP BY 1, 2, 3, 4
ORDER BY 5 DESC, 1, 2, 3, 4
LIMIT $12
