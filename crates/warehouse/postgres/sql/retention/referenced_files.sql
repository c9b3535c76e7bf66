-- Those of the paths $1 that something was loaded from.
SELECT landing_path AS "path!" FROM usage_days WHERE landing_path = ANY ($1::TEXT[])
UNION
SELECT archive_path FROM crm_exports WHERE archive_path = ANY ($1)
