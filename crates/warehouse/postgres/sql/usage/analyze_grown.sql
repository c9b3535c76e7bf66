-- Counts the records of day $1 again if the $2 that were written are many.
SELECT analyze_if_grown('stg_product_usage', $1, $1, $2)
