-- The channels that accepted alert $1.
SELECT channel FROM alert_deliveries
WHERE alert_key = $1
ORDER BY channel
