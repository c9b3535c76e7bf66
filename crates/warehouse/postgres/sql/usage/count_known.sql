-- How many records arrived, and how many are staged for day $1: NULL if it was never fetched.
SELECT
  (SELECT COUNT(*) FROM usage_incoming) AS "arrived!",
  (SELECT records FROM usage_days WHERE date = $1) AS known
