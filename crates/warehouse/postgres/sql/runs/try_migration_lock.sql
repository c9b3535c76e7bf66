-- Whether this transaction is the one that migrates.
SELECT pg_try_advisory_xact_lock(hashtext('warehouse'), hashtext('migrate')) AS "is_locked!"
