-- What goes with history until $1: replaced rows, and entries of the log except the newest of each
-- day.
SELECT
  (SELECT COUNT(*) FROM fact_history WHERE replaced_at <= $1) AS "rows!: i64",
  (
    SELECT COUNT(*)
    FROM day_publications AS old
    WHERE published_at <= $1
      AND EXISTS (
        SELECT 1
        FROM day_publications AS newer
        WHERE newer.activity_date = old.activity_date
          AND newer.published_at > old.published_at AND newer.published_at <= $1
      )
  ) AS "publications!: i64"
