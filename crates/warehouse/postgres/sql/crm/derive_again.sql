-- What the companies of snapshot $1 that are not wholly readable there are now, after
-- the snapshot before, $2, has changed.
WITH
-- The snapshot before.
before AS (
  SELECT company_id, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  WHERE effective_from <= $2::DATE AND (effective_to IS NULL OR effective_to >= $2)
),
-- The snapshot as it was derived until now, which has the fields that could be read.
stated AS (
  SELECT company_id, name, country, industry_tag, last_contact_at
  FROM crm_company_versions
  WHERE effective_from <= $1::DATE AND (effective_to IS NULL OR effective_to >= $1)
)
INSERT INTO crm_incoming (line, company_id, name, country, industry_tag, last_contact_at, unreadable)
SELECT
  0, mark.company_id,
  CASE WHEN mark.fields & 1 <> 0 THEN before.name ELSE stated.name END,
  CASE WHEN mark.fields & 2 <> 0 THEN before.country ELSE stated.country END,
  CASE WHEN mark.fields & 4 <> 0 THEN before.industry_tag ELSE stated.industry_tag END,
  CASE WHEN mark.fields & 8 <> 0 THEN before.last_contact_at ELSE stated.last_contact_at END,
  mark.fields
FROM crm_unreadable AS mark
LEFT JOIN before ON before.company_id = mark.company_id
LEFT JOIN stated ON stated.company_id = mark.company_id
WHERE mark.effective_on = $1 AND (mark.fields & 16 = 0 OR before.company_id IS NOT NULL)
