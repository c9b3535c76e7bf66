-- Of several rows for one company only the last stays.
DELETE FROM crm_incoming
WHERE EXISTS (
  SELECT 1 FROM crm_incoming AS later
  WHERE later.company_id = crm_incoming.company_id AND later.line > crm_incoming.line
)
