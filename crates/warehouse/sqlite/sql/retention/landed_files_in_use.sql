-- Those of the landed paths, a JSON array $1, that staged usage was read from.
SELECT landing_path AS "path!" FROM usage_days WHERE landing_path IN (SELECT value FROM json_each($1))
