-- What would be staged: the differences in place of what they replace. The inner
-- stg_product_usage is the warehouse's, for the view is not there yet. Made only
-- once all answers are in: until then they are compared with what is staged.
BEGIN READ WRITE;
CREATE TEMPORARY VIEW stg_product_usage AS
SELECT company_id, date, active_users, events
FROM stg_product_usage AS staged
WHERE NOT EXISTS (
  SELECT 1 FROM usage_differences AS difference
  WHERE difference.company_id = staged.company_id AND difference.date = staged.date
)
UNION ALL
SELECT company_id, date, active_users, events
FROM usage_differences
WHERE active_users IS NOT NULL;
COMMIT;
