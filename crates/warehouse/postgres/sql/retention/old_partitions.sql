-- The partitions of the months before $1, of staged usage before $2, as they are
-- written in a statement. A partition is named after its table and month.
SELECT old.parent AS "parent!", format('%I', partition.relname) AS "partition!"
FROM (
  VALUES
    ('fact_company_activity', $1::DATE),
    ('fact_events', $1),
    ('agg_company_daily_events', $1),
    ('stg_product_usage', $2::DATE)
) AS old (parent, first_kept)
JOIN pg_inherits ON inhparent = old.parent::REGCLASS
JOIN pg_class AS partition ON partition.oid = inhrelid
WHERE partition.relname < old.parent || to_char(old.first_kept, '"_y"YYYY"m"MM')
ORDER BY old.parent, partition.relname
