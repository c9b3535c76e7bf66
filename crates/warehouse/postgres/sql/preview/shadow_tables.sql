-- A connection's temporary tables come first where no schema is named: these hide
-- the warehouse's own from it, so that the same statements work on copies.
CREATE TEMPORARY TABLE known_companies (LIKE known_companies INCLUDING ALL);
CREATE TEMPORARY TABLE dirty_company_days (LIKE dirty_company_days INCLUDING ALL);
-- The days that are known, for an answer is compared with the days before it, and in a
-- backfill these are known by then. The inner usage_days is the warehouse's.
CREATE TEMPORARY TABLE usage_days AS SELECT date, records FROM usage_days;
ALTER TABLE usage_days ADD PRIMARY KEY (date);
CREATE TEMPORARY TABLE fact_build_days (LIKE fact_build_days INCLUDING ALL);
-- Empty again after every chunk.
CREATE TEMPORARY TABLE fact_candidates (LIKE fact_candidates INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;
