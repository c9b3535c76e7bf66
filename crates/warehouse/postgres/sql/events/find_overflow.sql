-- A company-day whose sum does not fit a BIGINT.
SELECT company_id, date
FROM event_sums
WHERE events > 9223372036854775807
ORDER BY company_id, date
LIMIT 1
