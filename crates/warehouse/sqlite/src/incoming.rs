//! Streams a delivery into the database in batches, within the caller's transaction:
//! memory holds one batch, whatever the delivery's size.

use domain::{Counters, Rejection, SourceRow};
use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, query_builder::Separated};
use warehouse_core::{
    Error, RowStream,
    engine::{Delivery, stored},
};

use crate::{fault::Result, quarantine};

/// Rows per statement: enough to make a round trip's overhead negligible.
const BATCH_ROWS: usize = 500;

/// The values of a row of an [`IncomingTable`], which take their places one by one.
pub(crate) type RowValues<'a> = Separated<'a, Sqlite, &'static str>;

/// The table that receives a delivery's rows of known companies.
pub(crate) trait IncomingTable<T> {
    /// What is staged of a row.
    type Row;

    /// `INSERT INTO`, the table, and its columns in the order of [`bind`](Self::bind).
    const INSERT: &'static str;

    /// A row that could be read.
    fn readable(line: u64, row: T) -> Self::Row;

    /// The part of a quarantined row that is staged.
    fn unreadable(_row: &SourceRow<T>) -> Option<Self::Row> {
        None
    }

    /// Binds a row's values.
    fn bind(row: Self::Row, values: &mut RowValues<'_>);
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
        accepted.extend(Table::unreadable(&row));
        match row {
            SourceRow::Accepted { line, row } => accepted.push(Table::readable(line, row)),
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

/// Inserts a batch with one statement that has a parameter for each value. Taking JSON
/// apart costs SQLite three times as much.
async fn insert<T, Table: IncomingTable<T>>(
    connection: &mut SqliteConnection,
    rows: &mut Vec<Table::Row>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    // Full batches share a prepared statement; the last one of a delivery would only take
    // the place of others.
    let is_full = rows.len() == BATCH_ROWS;
    let mut statement = QueryBuilder::new(Table::INSERT);
    statement.push_values(rows.drain(..), |mut values, row| Table::bind(row, &mut values));
    statement.build().persistent(is_full).execute(connection).await?;
    Ok(())
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
        .map(|Rejection { line, reason, raw, .. }| {
            json!([stored(line), reason.kind().as_str(), reason.to_string(), raw, reason.cause()])
        })
        .collect();
    let Delivery { origin, fence, business_date, now } = delivery;
    let (batch, run_id) = (batch.to_string(), fence.run_id.hyphenated());
    sqlx::query_file!("sql/quarantine/insert.sql", batch, origin, run_id, fence.stage, now, *business_date)
        .execute(connection)
        .await?;
    Ok(())
}
