-- What an earlier load of the file $1 put into quarantine and this one does not.
DELETE FROM quarantine
WHERE origin = $1
  AND NOT EXISTS (SELECT 1 FROM rejected_incoming AS incoming WHERE incoming.line = quarantine.line)
