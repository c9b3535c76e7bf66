-- Whether the usage of all days from $1 to $2 is staged, as far as any is.
SELECT
  COUNT(*) FILTER (WHERE date BETWEEN $1 AND $2) = $2::DATE - $1::DATE + 1 OR COUNT(*) = 0 AS "has_staged_days!"
FROM usage_days
