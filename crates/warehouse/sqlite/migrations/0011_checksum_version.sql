-- Which formula a day's checksum follows. Days that were published before there were
-- versions, or by programs that know of none, have the first one.
ALTER TABLE published_days ADD COLUMN checksum_version INTEGER NOT NULL DEFAULT 1;
