-- A record of which nothing but the company could be read says nothing beside another
-- record of the company.
DELETE FROM usage_incoming
WHERE is_unreadable
  AND EXISTS (
    SELECT 1 FROM usage_incoming AS other
    WHERE other.company_id = usage_incoming.company_id
      AND (NOT other.is_unreadable OR other.line > usage_incoming.line)
  )
