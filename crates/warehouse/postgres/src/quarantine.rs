//! Writes the quarantine.

use domain::Rejection;
use sqlx::{Executor, PgConnection};
use warehouse_core::engine::{Delivery, stored};

use crate::{database::storable, fault::Result};

/// Creates the connection's table for the rejected rows of a delivery.
pub(crate) async fn create_incoming(connection: &mut PgConnection) -> Result<()> {
    connection.execute(include_str!("../sql/quarantine/create_incoming.sql")).await?;
    Ok(())
}

/// Adds rejected rows of the delivery.
pub(crate) async fn insert_incoming(
    connection: &mut PgConnection,
    rejected: &mut Vec<Rejection>,
) -> Result<()> {
    if rejected.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::with_capacity(rejected.len());
    let mut reasons = Vec::with_capacity(rejected.len());
    let mut raws = Vec::with_capacity(rejected.len());
    for Rejection { line, reason, raw, .. } in rejected.drain(..) {
        lines.push(stored(line));
        reasons.push(storable(&reason.to_string()).into_owned());
        raws.push(storable(&raw).into_owned());
    }
    sqlx::query_file!("sql/quarantine/insert_incoming.sql", &lines, &reasons, &raws)
        .execute(connection)
        .await?;
    Ok(())
}

/// Replaces the quarantine of the delivery's file with the delivery's rejected rows.
pub(crate) async fn replace(connection: &mut PgConnection, delivery: &Delivery<'_>) -> Result<()> {
    let Delivery { origin, fence, now } = delivery;
    sqlx::query_file!("sql/quarantine/delete_gone.sql", origin).execute(&mut *connection).await?;
    sqlx::query_file!("sql/quarantine/upsert_changed.sql", origin, fence.run_id, fence.stage, now)
        .execute(connection)
        .await?;
    Ok(())
}
