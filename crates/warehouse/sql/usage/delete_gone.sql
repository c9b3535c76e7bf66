-- The product API is the authority for day $1: what it no longer returns goes.
DELETE FROM stg_product_usage
WHERE date = $1 AND company_id IN (SELECT company_id FROM usage_changes WHERE NOT is_present)
