-- What could not be read is what it was in the snapshot before, $1.
UPDATE crm_incoming AS incoming
SET
  name = CASE WHEN unreadable & 1 <> 0 THEN before.name ELSE incoming.name END,
  country = CASE WHEN unreadable & 2 <> 0 THEN before.country ELSE incoming.country END,
  industry_tag = CASE WHEN unreadable & 4 <> 0 THEN before.industry_tag ELSE incoming.industry_tag END,
  last_contact_at = CASE
    WHEN unreadable & 8 <> 0 THEN before.last_contact_at ELSE incoming.last_contact_at
  END
FROM crm_company_versions AS before
WHERE unreadable <> 0
  AND before.company_id = incoming.company_id
  AND before.effective_from <= $1
  AND (before.effective_to IS NULL OR before.effective_to >= $1)
