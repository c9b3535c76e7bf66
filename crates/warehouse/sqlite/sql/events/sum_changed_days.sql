-- The company-days in which an event is new or has another count, summed up from
-- all their events.
WITH
changed_days AS (
  SELECT DISTINCT company_id, date FROM event_changes WHERE change = 'WRITTEN'
)
INSERT INTO event_sums (company_id, date, events_high, events_low, event_count)
SELECT company_id, date, SUM(events >> 32), SUM(events & 0xffffffff), COUNT(*)
FROM changed_days
JOIN fact_events USING (company_id, date)
GROUP BY company_id, date
