-- What is on record of the publish of run $1, and whether it has one of the days $2..$3 as that
-- publish left them.
WITH
publish AS (
  SELECT MAX(published_at) AS published_at FROM day_publications WHERE run_id = $1
)
SELECT
  publish.published_at AS "published_at?: chrono::DateTime<chrono::Utc>",
  versions.history_since AS "history_since?: chrono::DateTime<chrono::Utc>",
  -- Programs that keep no history move publish alone.
  versions.publish <> versions.logged_publish AS "is_interrupted!: bool",
  -- Of each day the log keeps the newest entry from before history begins.
  EXISTS (
    SELECT 1
    FROM day_publications AS later
    WHERE later.activity_date BETWEEN $2 AND $3
      AND later.published_at > publish.published_at AND later.published_at <= versions.history_since
  ) AS "has_changed_since!: bool"
FROM publish
CROSS JOIN warehouse_versions AS versions
