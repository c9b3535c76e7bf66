-- The snapshot after day $1, if something of it is what it was in the snapshot before.
SELECT effective_on AS "effective_on!: chrono::NaiveDate", keeps_unnamed AS "keeps_unnamed!: bool"
FROM crm_snapshots AS heir
WHERE effective_on = (SELECT MIN(effective_on) FROM crm_snapshots WHERE effective_on > $1)
  AND (keeps_unnamed OR EXISTS (SELECT 1 FROM crm_unreadable WHERE effective_on = heir.effective_on))
