-- What is dirty reaches only up to the days $1..$2, which are taken back, from
-- either side. An entry around all of them stays: days between that are not
-- published are never looked at. An entry keeps its number: a build under way
-- clears the same entries as before.
UPDATE dirty_company_days
SET
  first_day = CASE WHEN first_day >= $1 THEN date($2, '+1 day') ELSE first_day END,
  last_day = CASE WHEN last_day <= $2 THEN date($1, '-1 day') ELSE last_day END
WHERE (first_day BETWEEN $1 AND $2) <> (last_day BETWEEN $1 AND $2)
