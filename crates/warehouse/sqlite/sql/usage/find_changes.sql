-- The companies whose record of day $1 is new, corrected or gone. What could not be
-- read is none of them, nor is what the answer does not name if $2.
INSERT INTO usage_changes (company_id, is_present)
SELECT incoming.company_id, TRUE
FROM usage_incoming AS incoming
LEFT JOIN stg_product_usage AS staged ON staged.company_id = incoming.company_id AND staged.date = $1
WHERE NOT incoming.is_unreadable
  AND (
    staged.company_id IS NULL
    OR (staged.active_users, staged.events) <> (incoming.active_users, incoming.events)
  )
UNION ALL
SELECT staged.company_id, FALSE
FROM stg_product_usage AS staged
WHERE NOT $2
  AND staged.date = $1
  AND staged.company_id NOT IN (SELECT company_id FROM usage_incoming)
