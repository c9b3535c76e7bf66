-- How many records day $1 would have: what could be read, and what is staged and not gone.
INSERT OR REPLACE INTO usage_days (date, records)
SELECT $1, COUNT(*)
FROM (
  SELECT company_id FROM usage_incoming WHERE NOT is_unreadable
  UNION
  SELECT company_id FROM stg_product_usage WHERE date = $1
  EXCEPT
  SELECT company_id FROM usage_changes WHERE NOT is_present
)
