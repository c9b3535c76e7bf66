-- A row that a later row of the same export contradicts goes into quarantine;
-- one that a later row merely repeats does not.
-- $1 origin, $2 run, $3 stage, $4 now, $5 the export's day
WITH
-- The line that counts for each company: the last one.
winner AS (
  SELECT company_id, MAX(line) AS line FROM crm_incoming GROUP BY company_id HAVING COUNT(*) > 1
)
INSERT OR REPLACE INTO quarantine (
  origin, line, run_id, stage, kind, cause, reason, raw, quarantined_at, business_date
)
SELECT
  $1, loser.line, $2, $3, 'SUPERSEDED', 'superseded',
  'superseded by line ' || winner.line || ', which gives the same key other values',
  json_object(
    'company_id', loser.company_id, 'name', loser.name, 'country', loser.country,
    'industry_tag', loser.industry_tag, 'last_contact_at', loser.last_contact_at
  ),
  $4, $5
FROM winner
JOIN crm_incoming AS kept ON kept.line = winner.line
JOIN crm_incoming AS loser ON loser.company_id = winner.company_id AND loser.line < winner.line
WHERE (loser.name, loser.country, loser.industry_tag, loser.last_contact_at, 0)
  IS NOT (kept.name, kept.country, kept.industry_tag, kept.last_contact_at, kept.unreadable)
  -- A row that is not wholly readable is in quarantine already.
  AND loser.unreadable = 0
