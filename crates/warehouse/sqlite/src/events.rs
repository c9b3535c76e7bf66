//! Single events and their daily sums.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, EventRecord, RejectionLimit};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use warehouse_core::{
    Delivered, Error, EventFile, EventStaging, Fence, LoadOutcome, RowStream,
    engine::{Delivery, balanced, counted, position, stored},
    noted,
};

use crate::{
    database::SqliteWarehouse,
    fault::Result,
    fence,
    incoming::{self, IncomingTable, RowValues},
    quarantine, replays,
};

struct EventIncoming;

impl IncomingTable<EventRecord> for EventIncoming {
    type Row = (i64, EventRecord);

    const INSERT: &'static str = "INSERT INTO event_incoming (line, company_id, date, event_id, events) ";

    fn readable(line: u64, row: EventRecord) -> Self::Row {
        (stored(line), row)
    }

    fn bind((line, row): Self::Row, values: &mut RowValues<'_>) {
        values
            .push_bind(line)
            .push_bind(row.company_id.as_str())
            .push_bind(row.date)
            .push_bind(row.event_id.as_str())
            .push_bind(row.events);
    }
}

#[async_trait]
impl EventStaging for SqliteWarehouse {
    async fn new_event_files(&self, files: &[EventFile]) -> Result<Vec<usize>, Error> {
        let delivered: Value = files.iter().map(|file| json!([file.path, file.etag])).collect();
        self.once(async |connection| {
            let new = sqlx::query_file_scalar!("sql/events/new_files.sql", delivered.to_string());
            Ok(new.fetch_all(connection).await?.into_iter().map(position).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn event_replays(&self) -> Result<Vec<String>, Error> {
        self.once(async |connection| {
            let paths = sqlx::query_file_scalar!("../sql/events/replayed_files.sql");
            Ok(paths.fetch_all(connection).await?)
        })
        .await
    }

    async fn load_event_file(
        &self,
        fence: &Fence,
        file: &EventFile,
        limit: RejectionLimit,
        rows: RowStream<'_, EventRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome, Error> {
        let loaded = self.write(async |connection| {
            fence::check(connection, fence).await?;
            let delivery = Delivery { origin: &file.path, fence, business_date: None, now };
            let (rows, notes) = noted(rows);
            let mut counters = incoming::read::<_, EventIncoming>(connection, &delivery, rows).await?;
            counters.bytes_read = file.bytes;
            keep_last_records(connection, &delivery, &mut counters).await?;
            let mut received = notes.into_received();
            received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            if let Err(refused) = file.judge(&received, limit) {
                // The rejected records are recorded all the same.
                replays::answer(connection, Delivered::EventFile(&file.path), now).await?;
                end_load(connection, &delivery).await?;
                return Ok(Err(refused));
            }
            apply_changes(connection, file, &mut counters).await?;
            record_file(connection, &delivery, file).await?;
            Ok(Ok(LoadOutcome { counters: balanced(counters)? }))
        });
        loaded.await?
    }
}

/// Keeps one record per event, and counts the others.
async fn keep_last_records(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    counters: &mut Counters,
) -> Result<()> {
    let Delivery { origin, fence, now, .. } = delivery;
    let run_id = fence.run_id.hyphenated();
    let superseded =
        sqlx::query_file!("sql/events/quarantine_superseded.sql", origin, run_id, fence.stage, now);
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = sqlx::query_file!("sql/events/keep_last_records.sql").execute(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped.rows_affected() - superseded;
    Ok(())
}

/// Writes the events that the file decides, and the sums that change with them.
async fn apply_changes(
    connection: &mut SqliteConnection,
    file: &EventFile,
    counters: &mut Counters,
) -> Result<()> {
    let arrived = counters.rows_read - counters.rows_rejected - counters.rows_duplicate;
    sqlx::query_file!("sql/events/find_changes.sql", file.path).execute(&mut *connection).await?;
    let changes = sqlx::query_file!("../sql/events/count_changes.sql").fetch_one(&mut *connection).await?;
    sqlx::query_file!("../sql/events/upsert_changed.sql", file.path).execute(&mut *connection).await?;
    let (written, overruled) = (counted(changes.written)?, counted(changes.overruled)?);
    if written > 0 {
        sum_up(connection, file).await?;
    }
    counters.rows_written = written;
    counters.rows_duplicate += overruled;
    counters.rows_unchanged = arrived - written - overruled;
    Ok(())
}

async fn sum_up(connection: &mut SqliteConnection, file: &EventFile) -> Result<()> {
    sqlx::query_file!("sql/events/sum_changed_days.sql").execute(&mut *connection).await?;
    let overflow = sqlx::query_file!("sql/events/find_overflow.sql").fetch_optional(&mut *connection).await?;
    if let Some(day) = overflow {
        return Err(file.refused_for_sum(&day.company_id, day.date).into());
    }
    sqlx::query_file!("sql/events/upsert_sums.sql").execute(connection).await?;
    Ok(())
}

async fn record_file(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    file: &EventFile,
) -> Result<()> {
    sqlx::query_file!(
        "../sql/events/record_file.sql",
        file.path,
        file.etag,
        stored(file.bytes),
        delivery.fence.run_id.hyphenated(),
        delivery.now
    )
    .execute(&mut *connection)
    .await?;
    end_load(connection, delivery).await
}

/// Empties the tables of a load, and quarantines its rejected records.
async fn end_load(connection: &mut SqliteConnection, delivery: &Delivery<'_>) -> Result<()> {
    quarantine::keep_first_met(connection, delivery.origin).await?;
    for statement in ["DELETE FROM event_incoming", "DELETE FROM event_changes", "DELETE FROM event_sums"] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}
