-- The request to load export $1 of day $2 with content $3 again is answered: what was
-- loaded of it stays.
UPDATE crm_exports SET replay_requested_at = NULL WHERE path = $1 AND effective_on = $2 AND etag = $3
