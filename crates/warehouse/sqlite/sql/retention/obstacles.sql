-- What stands in the way of forgetting the published days before $1.
WITH
active AS (
  SELECT run_id, window_start, window_end
  FROM pipeline_runs
  WHERE state IN ('QUEUED', 'RUNNING') AND window_start < $1
  ORDER BY run_id
  LIMIT 1
)
SELECT
  (SELECT run_id FROM active) AS "active_run?: String",
  (SELECT window_start FROM active) AS "active_from?: chrono::NaiveDate",
  (SELECT window_end FROM active) AS "active_to?: chrono::NaiveDate",
  -- Candidates that are out of date are never published.
  (
    SELECT run_id
    FROM fact_build
    JOIN warehouse_versions ON staging_version = staging AND publish_version = publish
    WHERE EXISTS (SELECT 1 FROM fact_build_days WHERE activity_date < $1)
  ) AS "built_by?: String",
  EXISTS (SELECT 1 FROM published_days WHERE activity_date < $1)
    AND NOT EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1) AS "leaves_gap!: bool"
