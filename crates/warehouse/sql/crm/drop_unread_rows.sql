-- A row of which nothing but the company could be read says nothing beside another
-- row of the company.
DELETE FROM crm_incoming
WHERE unreadable & 16 <> 0
  AND EXISTS (
    SELECT 1 FROM crm_incoming AS other
    WHERE other.company_id = crm_incoming.company_id
      AND (other.unreadable & 16 = 0 OR other.line > crm_incoming.line)
  )
