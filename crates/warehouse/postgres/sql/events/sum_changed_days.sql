-- The company-days between $1 and $2 in which an event is new or has another
-- count, summed up from all their events.
WITH
changed_days AS (
  SELECT DISTINCT company_id, date FROM event_changes WHERE change = 'WRITTEN'
)
INSERT INTO event_sums (company_id, date, events, event_count)
SELECT company_id, date, SUM(stored.events), COUNT(*)
FROM changed_days
JOIN fact_events AS stored USING (company_id, date)
-- Says nothing new, but spares the partitions of other months.
WHERE stored.date BETWEEN $1 AND $2
GROUP BY company_id, date
