-- What could not be read is what it was in the snapshot before, $1.
UPDATE crm_incoming
SET
  name = CASE WHEN unreadable & 1 THEN before.name ELSE crm_incoming.name END,
  country = CASE WHEN unreadable & 2 THEN before.country ELSE crm_incoming.country END,
  industry_tag = CASE WHEN unreadable & 4 THEN before.industry_tag ELSE crm_incoming.industry_tag END,
  last_contact_at = CASE
    WHEN unreadable & 8 THEN before.last_contact_at ELSE crm_incoming.last_contact_at
  END
FROM crm_company_versions AS before
WHERE unreadable <> 0
  AND before.company_id = crm_incoming.company_id
  AND before.effective_from <= $1
  AND (before.effective_to IS NULL OR before.effective_to >= $1)
