-- $1: a JSON array of [line, company_id, name, country, industry_tag, last_contact_at, unreadable].
INSERT INTO crm_incoming (line, company_id, name, country, industry_tag, last_contact_at, unreadable)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each($1)
