-- Forgetting changes what is published, so it counts like a publish. Candidates
-- that are up to date stay so: they read nothing of what goes.
UPDATE fact_build
SET publish_version = publish + 1
FROM warehouse_versions
WHERE publish_version = publish
