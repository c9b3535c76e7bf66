-- What goes with the published days before $1 and the usage before $2: recognised by
-- the ledgers, which know it without reading the rows.
SELECT
  COUNT(*) AS "days!",
  COALESCE(SUM(row_count), 0)::BIGINT AS "rows!",
  (SELECT COUNT(*) FROM usage_days WHERE date < $2) AS "usage_days!",
  (SELECT COALESCE(SUM(records), 0)::BIGINT FROM usage_days WHERE date < $2) AS "usage_records!",
  (SELECT COALESCE(SUM(event_count), 0)::BIGINT FROM agg_company_daily_events WHERE date < $1) AS "events!",
  (SELECT COUNT(*) FROM old_partitions($1, $2)) AS "partitions!"
FROM published_days
WHERE activity_date < $1
