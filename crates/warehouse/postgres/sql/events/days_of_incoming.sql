-- The days that the file speaks of: NULL without any record.
SELECT MIN(date) AS first_day, MAX(date) AS last_day FROM event_incoming
