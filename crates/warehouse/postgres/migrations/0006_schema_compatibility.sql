-- The oldest migration that a program must know to work with this schema, however
-- many were applied since. What only adds leaves this mark alone. What takes away or
-- changes a meaning raises it, to the migration of the version that does without.
CREATE TABLE schema_compatibility (
  id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  oldest_known BIGINT  NOT NULL
);
-- Older programs do not look here: they refuse every migration that they do not know.
INSERT INTO schema_compatibility (id, oldest_known) VALUES (1, 6);
