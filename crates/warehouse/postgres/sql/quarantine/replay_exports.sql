-- Asks at $3 for the exports with the paths $1 and the effective days $2 to be loaded again.
UPDATE crm_exports
SET replay_requested_at = $3
WHERE (path, effective_on) IN (SELECT path, day FROM UNNEST($1::TEXT[], $2::DATE[]) AS asked (path, day))
RETURNING path, effective_on
