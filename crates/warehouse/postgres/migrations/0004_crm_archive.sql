-- Where the immutable copy of an export is kept, relative to the archive's root: the
-- CRM overwrites its files. NULL for exports that were loaded before there were copies.
ALTER TABLE crm_exports ADD COLUMN archive_path TEXT;
