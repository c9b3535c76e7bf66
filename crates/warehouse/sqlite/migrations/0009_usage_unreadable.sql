-- Whether nothing but the company of a record could be read. Its numbers mean nothing then.
ALTER TABLE usage_incoming ADD COLUMN is_unreadable BOOLEAN NOT NULL DEFAULT FALSE;
