-- The ledger: new days, and published ones in which something changed.
-- $1 run, $2 now; $3 days in which something changed, $4 by how many rows, $5 the
-- checksum by what, $6 the version of the checksums of new days
SELECT record_published_days($1, $2, $3, $4, $5, $6)
