-- The copies of the export whose snapshot is the nearest one before day $1.
SELECT export.archive_path
FROM crm_snapshots AS snapshot
JOIN crm_exports AS export ON export.path = snapshot.path AND export.effective_on = snapshot.effective_on
WHERE snapshot.effective_on < $1
ORDER BY snapshot.effective_on DESC
LIMIT 1
