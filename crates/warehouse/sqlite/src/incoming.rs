//! Streams a delivery into the database in batches, within the caller's transaction:
//! memory holds one batch, whatever the delivery's size.

use domain::{Counters, Rejection, SourceRow};
use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use warehouse_core::{
    Error, RowStream,
    engine::{Delivery, stored},
};

use crate::{fault::Result, quarantine};

/// Rows per statement: enough to make a round trip's overhead negligible.
const BATCH_ROWS: usize = 1_000;

/// The table that receives a delivery's rows of known companies.
pub(crate) trait IncomingTable<T> {
    /// One row as the JSON array that the insert statement expects.
    fn encode(line: u64, row: T) -> Value;

    /// The part of a quarantined row that is staged, in the same form.
    fn encode_unreadable(_row: &SourceRow<T>) -> Option<Value> {
        None
    }

    /// Inserts a JSON array of rows.
    async fn insert(connection: &mut SqliteConnection, rows: &str) -> Result<()>;
}

/// Reads the whole delivery: staged data into `Table`, rejected rows into the
/// quarantine, where they replace earlier ones of the same origin. Returns what was
/// read and rejected.
pub(crate) async fn read<T, Table: IncomingTable<T>>(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    rows: RowStream<'_, T>,
) -> Result<Counters> {
    quarantine::set_aside(connection, delivery.origin).await?;
    read_into::<T, Table>(connection, Some(delivery), rows).await
}

/// Reads only the staged part of a delivery, on behalf of no stage.
pub(crate) async fn read_staged<T, Table: IncomingTable<T>>(
    connection: &mut SqliteConnection,
    rows: RowStream<'_, T>,
) -> Result<()> {
    read_into::<T, Table>(connection, None, rows).await.map(|_| ())
}

async fn read_into<T, Table: IncomingTable<T>>(
    connection: &mut SqliteConnection,
    delivery: Option<&Delivery<'_>>,
    mut rows: RowStream<'_, T>,
) -> Result<Counters> {
    let mut counters = Counters::default();
    let mut accepted = Vec::with_capacity(BATCH_ROWS);
    let mut rejected = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(Error::Source)? {
        counters.rows_read += 1;
        accepted.extend(Table::encode_unreadable(&row));
        match row {
            SourceRow::Accepted { line, row } => accepted.push(Table::encode(line, row)),
            SourceRow::Partial { rejection, .. } | SourceRow::Rejected(rejection) => {
                counters.rows_rejected += 1;
                rejected.push(rejection);
            }
        }
        if accepted.len() == BATCH_ROWS {
            insert::<T, Table>(connection, &mut accepted).await?;
        }
        if rejected.len() == BATCH_ROWS {
            quarantine_rows(connection, delivery, &mut rejected).await?;
        }
    }
    insert::<T, Table>(connection, &mut accepted).await?;
    quarantine_rows(connection, delivery, &mut rejected).await?;
    Ok(counters)
}

async fn insert<T, Table: IncomingTable<T>>(
    connection: &mut SqliteConnection,
    rows: &mut Vec<Value>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let batch = Value::Array(std::mem::take(rows)).to_string();
    rows.reserve(BATCH_ROWS);
    Table::insert(connection, &batch).await
}

async fn quarantine_rows(
    connection: &mut SqliteConnection,
    delivery: Option<&Delivery<'_>>,
    rejections: &mut Vec<Rejection>,
) -> Result<()> {
    let Some(delivery) = delivery.filter(|_| !rejections.is_empty()) else {
        rejections.clear();
        return Ok(());
    };
    let batch: Value = rejections
        .drain(..)
        .map(|Rejection { line, reason, raw, .. }| json!([stored(line), reason.to_string(), raw]))
        .collect();
    let Delivery { origin, fence, now } = delivery;
    let (batch, run_id) = (batch.to_string(), fence.run_id.hyphenated());
    sqlx::query_file!("sql/quarantine/insert.sql", batch, origin, run_id, fence.stage, now)
        .execute(connection)
        .await?;
    Ok(())
}
