-- Which formula a day's checksum follows. Days that were published before there were
-- versions, or by programs that know of none, have the first one.
ALTER TABLE published_days ADD COLUMN checksum_version INTEGER NOT NULL DEFAULT 1;

-- The hashes by a version's formula; NULL for a version that there is not yet.
CREATE FUNCTION published_row_hash(version INTEGER, fact fact_company_activity) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE version WHEN 1 THEN published_row_hash(fact) END;
CREATE FUNCTION candidate_hash(version INTEGER, candidate fact_candidates) RETURNS BIGINT
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE version WHEN 1 THEN candidate_hash(candidate) END;
