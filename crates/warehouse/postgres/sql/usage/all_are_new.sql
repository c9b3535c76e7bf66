-- Nothing is staged for the day: there is nothing to compare with.
INSERT INTO usage_changes (company_id, is_present)
SELECT company_id, TRUE FROM usage_incoming WHERE NOT is_unreadable
