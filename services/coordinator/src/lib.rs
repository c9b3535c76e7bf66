//! Durable runs: order, leases, retries, alert outbox.
