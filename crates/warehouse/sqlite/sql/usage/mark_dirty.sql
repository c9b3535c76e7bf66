-- The published days that read a changed record of day $1: from it to $2,
-- thirteen days on.
WITH
published AS (
  SELECT MIN(activity_date) AS oldest, MAX(activity_date) AS newest FROM published_days
)
INSERT INTO dirty_company_days (company_id, first_day, last_day)
SELECT usage_changes.company_id, MAX($1, published.oldest), MIN($2, published.newest)
FROM usage_changes
JOIN published ON $1 <= published.newest AND $2 >= published.oldest
