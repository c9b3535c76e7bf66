//! What waits in the warehouse.

use std::time::Duration;

use async_trait::async_trait;
use warehouse_core::{Backlog, BacklogReader, Connections, Error, Observable, engine::counted};

use crate::{database::PostgresWarehouse, fault::Result};

#[async_trait]
impl BacklogReader for PostgresWarehouse {
    async fn backlog(&self) -> Result<Backlog, Error> {
        self.once(async |connection| {
            let row = sqlx::query_file!("sql/backlog/backlog.sql").fetch_one(connection).await?;
            Ok(Backlog {
                dirty_ranges: counted(row.dirty_ranges)?,
                quarantined_rows: counted(row.quarantined_rows)?,
                alerts: counted(row.alerts)?,
                // The clock of the host that wrote the alert may be ahead.
                oldest_alert: Duration::try_from_secs_f64(row.oldest_alert_seconds).unwrap_or_default(),
            })
        })
        .await
    }
}

impl Observable for PostgresWarehouse {
    fn connections(&self) -> Connections {
        let (open, idle) = self.connections.open_and_idle();
        Connections { used: open.saturating_sub(idle), idle, max: self.connections.limit() }
    }

    fn system(&self) -> &'static str {
        "postgresql"
    }
}
