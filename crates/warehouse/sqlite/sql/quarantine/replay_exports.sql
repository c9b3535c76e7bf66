-- Asks at $2 for the exports with the paths in the JSON array $1 to be loaded again: for
-- each path the delivery that was loaded last, for whatever day it was.
UPDATE crm_exports
SET replay_requested_at = $2
WHERE path IN (SELECT value FROM json_each($1))
  AND NOT EXISTS (
    SELECT 1 FROM crm_exports AS later
    WHERE later.path = crm_exports.path
      AND (later.loaded_at, later.effective_on) > (crm_exports.loaded_at, crm_exports.effective_on)
  )
RETURNING path AS "path!: String"
