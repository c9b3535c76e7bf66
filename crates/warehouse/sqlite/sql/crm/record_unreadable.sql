-- What of the export of day $1 could not be read.
INSERT INTO crm_unreadable (effective_on, company_id, fields)
SELECT $1, company_id, unreadable FROM crm_incoming WHERE unreadable <> 0
