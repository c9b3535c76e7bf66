-- Asks at $2 for the exports with the paths $1 to be loaded again: for each path the
-- delivery that was loaded last, for whatever day it was.
UPDATE crm_exports
SET replay_requested_at = $2
WHERE path = ANY ($1::TEXT[])
  AND NOT EXISTS (
    SELECT FROM crm_exports AS later
    WHERE later.path = crm_exports.path
      AND (later.loaded_at, later.effective_on) > (crm_exports.loaded_at, crm_exports.effective_on)
  )
RETURNING path
