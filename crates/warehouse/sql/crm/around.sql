-- The snapshots on day $1, before it and after it.
SELECT effective_on AS "on!: chrono::NaiveDate", path AS "path!", companies AS "companies!: i64"
FROM crm_snapshots
WHERE effective_on = $1
  OR effective_on = (SELECT MAX(effective_on) FROM crm_snapshots WHERE effective_on < $1)
  OR effective_on = (SELECT MIN(effective_on) FROM crm_snapshots WHERE effective_on > $1)
