//! Streams a delivery into tables of the connection: memory holds one buffer and a few
//! MB at most of [`Repeats`], whatever the delivery's size, and no lock is held however
//! slow its source is.

use domain::{CompanyId, Counters, Rejection, SourceRow};
use futures::TryStreamExt;
use sqlx::{Executor, PgConnection};
use warehouse_core::{Error, RowStream, engine::stored};

use crate::{copy_rows::CopyRows, fault::Result, quarantine, repeats::Repeats};

/// Bytes per message: enough to make a message's overhead negligible.
const BUFFER_BYTES: usize = 64 * 1024;

/// Rejected rows per statement.
const BATCH_REJECTIONS: usize = 1_000;

/// The tables that receive a delivery.
pub(crate) trait IncomingTable<T> {
    /// Creates them for the connection.
    const CREATE: &'static str;

    /// Copies rows of known companies into their table, in the binary format.
    const COPY: &'static str;

    /// Encodes an accepted row.
    fn encode(rows: &mut CopyRows, line: i64, row: &T);

    /// Encodes the part of a quarantined row that is staged.
    fn encode_unreadable(_rows: &mut CopyRows, _row: &SourceRow<T>) {}

    /// The company of a row that is staged, if a delivery is to have one row for each.
    fn company(_row: &SourceRow<T>) -> Option<&CompanyId> {
        None
    }
}

/// What was read of a delivery.
pub(crate) struct Delivered {
    /// Rows read and rejected.
    pub(crate) counters: Counters,
    /// Whether several rows may be about one company.
    pub(crate) may_repeat: bool,
}

/// Reads the whole delivery: staged data into `Table`, rejected rows into
/// `rejected_incoming`.
pub(crate) async fn read<T, Table: IncomingTable<T>>(
    connection: &mut PgConnection,
    rows: RowStream<'_, T>,
) -> Result<Delivered> {
    create_tables::<T, Table>(connection).await?;
    receive::<T, Table>(connection, rows).await
}

/// Creates the connection's tables.
pub(crate) async fn create_tables<T, Table: IncomingTable<T>>(connection: &mut PgConnection) -> Result<()> {
    connection.execute(Table::CREATE).await?;
    quarantine::create_incoming(connection).await
}

/// Like [`read`], into existing tables.
pub(crate) async fn receive<T, Table: IncomingTable<T>>(
    connection: &mut PgConnection,
    mut rows: RowStream<'_, T>,
) -> Result<Delivered> {
    let (mut counters, mut repeats) = (Counters::default(), Repeats::default());
    let mut rejected = Vec::new();
    loop {
        let is_over =
            copy::<T, Table>(connection, &mut rows, &mut counters, &mut repeats, &mut rejected).await?;
        // No other statement is possible in the middle of a COPY.
        quarantine::insert_incoming(connection, &mut rejected).await?;
        if is_over {
            return Ok(Delivered { counters, may_repeat: repeats.are_possible() });
        }
    }
}

/// Copies accepted rows until the delivery ends, which is returned, or enough rejected
/// ones have accumulated.
async fn copy<T, Table: IncomingTable<T>>(
    connection: &mut PgConnection,
    rows: &mut RowStream<'_, T>,
    counters: &mut Counters,
    repeats: &mut Repeats,
    rejected: &mut Vec<Rejection>,
) -> Result<bool> {
    let mut copy = connection.copy_in_raw(Table::COPY).await?;
    let mut encoded = CopyRows::begin();
    let is_over = loop {
        let row = rows.try_next().await;
        if let Ok(Some(row)) = &row {
            Table::encode_unreadable(&mut encoded, row);
            if let Some(company) = Table::company(row) {
                repeats.note(company);
            }
        }
        match row {
            Ok(Some(SourceRow::Accepted { line, row })) => Table::encode(&mut encoded, stored(line), &row),
            Ok(Some(SourceRow::Partial { rejection, .. } | SourceRow::Rejected(rejection))) => {
                counters.rows_rejected += 1;
                rejected.push(rejection);
            }
            Ok(None) => break true,
            Err(error) => {
                copy.abort("the source broke off").await?;
                return Err(Error::Source(error).into());
            }
        }
        counters.rows_read += 1;
        if encoded.len() >= BUFFER_BYTES {
            copy.send(encoded.take()).await?;
        }
        if rejected.len() == BATCH_REJECTIONS {
            break false;
        }
    };
    encoded.end();
    copy.send(encoded.take()).await?;
    // Only this confirms that the database has received everything.
    copy.finish().await?;
    Ok(is_over)
}
