-- Rows of the day $1, which the ledger does not know, so that no publish can have written them.
-- They would stand in the way of those that the build computed for the day.
DELETE FROM fact_company_activity WHERE activity_date = $1
