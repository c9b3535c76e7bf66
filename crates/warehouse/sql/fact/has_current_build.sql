-- Whether the candidates are run $1's, built from what is staged and published now.
SELECT EXISTS (
  SELECT 1
  FROM fact_build
  JOIN warehouse_versions ON staging_version = staging AND publish_version = publish
  WHERE run_id = $1
) AS "is_current!: bool"
