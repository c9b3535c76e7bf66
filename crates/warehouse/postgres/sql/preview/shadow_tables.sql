-- A connection's temporary tables come first where no schema is named: these hide
-- the warehouse's own from it, so that the same statements work on copies.
CREATE TEMPORARY TABLE known_companies (LIKE known_companies INCLUDING ALL);
CREATE TEMPORARY TABLE dirty_company_days (LIKE dirty_company_days INCLUDING ALL);
CREATE TEMPORARY TABLE fact_build_days (LIKE fact_build_days INCLUDING ALL);
-- Empty again after every chunk.
CREATE TEMPORARY TABLE fact_candidates (LIKE fact_candidates INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;
