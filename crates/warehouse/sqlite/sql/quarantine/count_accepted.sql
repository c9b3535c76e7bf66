-- How many rejected rows of the file $1 somebody has accepted, apart from rows that a later
-- one supersedes, which count towards no limit.
SELECT COUNT(*) FROM quarantine WHERE origin = $1 AND accepted_at IS NOT NULL AND kind <> 'SUPERSEDED'
