-- What is dirty reaches back no further than $1. An entry keeps its number: a
-- build under way clears the same entries as before.
UPDATE dirty_company_days SET first_day = $1 WHERE first_day < $1
