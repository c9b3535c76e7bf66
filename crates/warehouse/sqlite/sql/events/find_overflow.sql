-- A company-day whose sum does not fit 63 bits.
SELECT company_id, date AS "date: chrono::NaiveDate"
FROM event_sums
WHERE events_high + (events_low >> 32) > 0x7fffffff
ORDER BY company_id, date
LIMIT 1
