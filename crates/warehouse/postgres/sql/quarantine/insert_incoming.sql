-- $1 lines, $2 kinds, $3 reasons, $4 raw texts.
INSERT INTO rejected_incoming (line, kind, reason, raw)
SELECT line, kind, reason, raw
FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS rejected (line, kind, reason, raw)
