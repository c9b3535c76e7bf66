-- Keeps how many candidates days have, and their checksum. $1 days, $2 candidates, $3
-- checksums, $4 the checksums' version
UPDATE fact_build_days AS day
SET rows = counted.rows, checksum = counted.checksum, checksum_version = $4
FROM unnest($1::DATE[], $2::BIGINT[], $3::BIGINT[]) AS counted (activity_date, rows, checksum)
WHERE day.activity_date = counted.activity_date
