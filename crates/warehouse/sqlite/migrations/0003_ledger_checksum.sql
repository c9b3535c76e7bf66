-- What each published day holds, in one number: the exclusive or of a hash per row.
-- NULL only until the engine has opened the file: it fills in the days that were
-- published before, for SQLite itself has no hash function.
ALTER TABLE published_days ADD COLUMN checksum INTEGER;
