SELECT EXISTS (
  SELECT 1 FROM alert_outbox
  WHERE settled_at IS NULL AND due_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
) AS "is_due!: bool"
