-- The companies whose record of day $1 is new, corrected or gone. What could not be
-- read is none of them, nor is what the answer does not name if $2.
WITH
staged AS (
  SELECT company_id, active_users, events FROM stg_product_usage WHERE date = $1
)
INSERT INTO usage_changes (company_id, is_present)
SELECT company_id, incoming.company_id IS NOT NULL
FROM usage_incoming AS incoming
FULL JOIN staged USING (company_id)
WHERE (incoming.active_users, incoming.events) IS DISTINCT FROM (staged.active_users, staged.events)
  -- NULL where the answer does not name the company.
  AND NOT COALESCE(incoming.is_unreadable, $2)
