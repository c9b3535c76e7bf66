-- $1 lines, $2 kinds, $3 reasons, $4 raw texts, $5 causes.
INSERT INTO rejected_incoming (line, kind, reason, raw, cause)
SELECT line, kind, reason, raw, cause
FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[])
  AS rejected (line, kind, reason, raw, cause)
