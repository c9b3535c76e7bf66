-- $1 lines, $2 reasons, $3 raw texts.
INSERT INTO quarantine_incoming (line, reason, raw)
SELECT line, reason, raw FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[]) AS rejected (line, reason, raw)
