-- Whether the usage of all days from $1 to $2 is staged, as far as any is.
SELECT
  COUNT(*) FILTER (WHERE date BETWEEN $1 AND $2) = CAST(julianday($2) - julianday($1) AS INTEGER) + 1
    OR COUNT(*) = 0 AS "has_staged_days!: bool"
FROM usage_days
