-- The first snapshot, and the newest day that is published or, up to $1, has a snapshot.
SELECT
  (SELECT MIN(effective_on) FROM crm_snapshots) AS "first_snapshot: chrono::NaiveDate",
  (
    SELECT MAX(day) FROM (
      SELECT MAX(activity_date) AS day FROM published_days
      UNION ALL
      SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on <= $1
    )
  ) AS "newest: chrono::NaiveDate"
