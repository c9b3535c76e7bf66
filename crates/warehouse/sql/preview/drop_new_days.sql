-- Days from $1 to $2 are not built unless they are published.
DELETE FROM fact_build_days
WHERE is_new AND activity_date BETWEEN $1 AND $2
