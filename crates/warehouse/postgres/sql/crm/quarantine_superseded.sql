-- A row that a later row of the same export contradicts goes into quarantine;
-- one that a later row merely repeats does not.
WITH
-- The line that counts for each company: the last one.
winner AS (
  SELECT company_id, MAX(line) AS line FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
INSERT INTO rejected_incoming (line, kind, cause, reason, raw)
SELECT
  loser.line, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_build_object(
    'company_id', loser.company_id, 'name', loser.name, 'country', loser.country,
    'industry_tag', loser.industry_tag, 'last_contact_at', loser.last_contact_at
  )
FROM winner
JOIN crm_incoming AS kept ON kept.company_id = winner.company_id AND kept.line = winner.line
JOIN crm_incoming AS loser ON loser.company_id = winner.company_id AND loser.line < winner.line
WHERE (loser.name, loser.country, loser.industry_tag, loser.last_contact_at, 0)
  IS DISTINCT FROM (kept.name, kept.country, kept.industry_tag, kept.last_contact_at, kept.unreadable)
  -- A row that is not wholly readable is in quarantine already.
  AND loser.unreadable = 0
