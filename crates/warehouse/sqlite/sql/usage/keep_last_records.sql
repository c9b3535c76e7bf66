-- Of several records for one company only the last stays.
DELETE FROM usage_incoming
WHERE EXISTS (
  SELECT 1 FROM usage_incoming AS later
  WHERE later.company_id = usage_incoming.company_id AND later.line > usage_incoming.line
)
