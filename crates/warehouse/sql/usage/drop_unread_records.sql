-- A record of which nothing but the company could be read says nothing beside another
-- record of the company.
DELETE FROM usage_incoming AS unread
WHERE is_unreadable
  AND EXISTS (
    SELECT 1 FROM usage_incoming AS other
    WHERE other.company_id = unread.company_id AND (NOT other.is_unreadable OR other.line > unread.line)
  )
