-- Of several rows for one company only the last stays. $1: whether those go that are
-- not wholly readable, or the others.
DELETE FROM crm_incoming
WHERE (unreadable <> 0) = $1
  AND EXISTS (
    SELECT 1 FROM crm_incoming AS later
    WHERE later.company_id = crm_incoming.company_id AND later.line > crm_incoming.line
  )
