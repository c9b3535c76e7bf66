-- How many rows nobody has accepted. It reads nothing but an index: this is asked often.
SELECT stage, kind, COUNT(*) AS "rows!: i64" FROM quarantine WHERE accepted_at IS NULL GROUP BY stage, kind
