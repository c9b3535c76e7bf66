-- The days that the build rebuilt wait no longer.
DELETE FROM rebuild_days WHERE activity_date IN (SELECT activity_date FROM fact_build_days)
