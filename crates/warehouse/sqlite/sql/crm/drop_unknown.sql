-- Companies of which the export says nothing that can be read are no members if they
-- were none in the snapshot before, $1.
DELETE FROM crm_incoming
WHERE unreadable & 16 <> 0
  AND company_id NOT IN (
    SELECT company_id FROM crm_company_versions
    WHERE effective_from <= $1 AND (effective_to IS NULL OR effective_to >= $1)
  )
