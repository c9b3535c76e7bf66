-- Companies of which the export says nothing that can be read are no members if they
-- were none in the snapshot before, $1.
DELETE FROM crm_incoming AS incoming
WHERE unreadable & 16 <> 0
  AND NOT EXISTS (
    SELECT 1 FROM crm_company_versions AS before
    WHERE before.company_id = incoming.company_id
      AND before.effective_from <= $1::DATE
      AND (before.effective_to IS NULL OR before.effective_to >= $1)
  )
