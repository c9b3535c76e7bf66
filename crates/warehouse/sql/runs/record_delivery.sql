-- Channel $2 accepted alert $1. $3 now
INSERT INTO alert_deliveries (alert_key, channel, delivered_at)
VALUES ($1, $2, $3)
ON CONFLICT (alert_key, channel) DO NOTHING
