SELECT effective_on, companies FROM crm_snapshots
WHERE effective_on < $1
ORDER BY effective_on DESC
LIMIT 1
