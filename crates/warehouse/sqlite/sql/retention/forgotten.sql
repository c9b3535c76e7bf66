-- What goes with the published days before $1 and the usage before $2: recognised by
-- the ledgers, which know it without reading the rows.
SELECT
  COUNT(*) AS "days!: i64",
  COALESCE(SUM(row_count), 0) AS "rows!: i64",
  (SELECT COUNT(*) FROM usage_days WHERE date < $2) AS "usage_days!: i64",
  (SELECT COALESCE(SUM(records), 0) FROM usage_days WHERE date < $2) AS "usage_records!: i64",
  (SELECT COALESCE(SUM(event_count), 0) FROM agg_company_daily_events WHERE date < $1) AS "events!: i64"
FROM published_days
WHERE activity_date < $1
