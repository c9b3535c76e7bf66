-- The requests until $2 to load an export with path $1 again are answered. Whatever its day:
-- the rows on record are those of the path's newest delivery, and an older one must not
-- replace them.
UPDATE crm_exports SET replay_requested_at = NULL WHERE path = $1 AND replay_requested_at <= $2
