-- Those of the paths, a JSON array ?1, that something was loaded from.
SELECT landing_path AS "path!" FROM usage_days WHERE landing_path IN (SELECT value FROM json_each(?1))
UNION
SELECT archive_path FROM crm_exports WHERE archive_path IN (SELECT value FROM json_each(?1))
