-- Those of the landed paths $1 that staged usage was read from.
SELECT landing_path AS "path!" FROM usage_days WHERE landing_path = ANY ($1::TEXT[])
