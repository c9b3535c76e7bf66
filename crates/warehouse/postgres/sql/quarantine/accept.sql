-- Accepts rows that nobody has accepted: at $9, by $10, because of $11.
-- $1..$2 files, only this line $3, only deliveries about the days $4..$5, only kind $6,
-- only stage $7, only accepted rows or only others $8; NULL does not filter.
UPDATE quarantine
SET accepted_at = $9, accepted_by = $10, accepted_why = $11, accepted_hash = hashtextextended(reason || raw, 0)
WHERE
  origin BETWEEN $1 AND $2
  AND ($3::BIGINT IS NULL OR line = $3)
  AND ($4::DATE IS NULL OR business_date BETWEEN $4 AND $5::DATE)
  AND ($6::TEXT IS NULL OR kind = $6)
  AND ($7::TEXT IS NULL OR stage = $7)
  AND ($8::BOOLEAN IS NULL OR (accepted_at IS NOT NULL) = $8)
  AND accepted_at IS NULL
