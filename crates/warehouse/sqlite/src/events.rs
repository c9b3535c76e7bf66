//! Single events and their daily sums.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{CompanyId, Counters, DateWindow, EventId, EventRecord};
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use warehouse_core::{
    DailyEvents, Error, EventFile, EventReader, EventStaging, Fence, LoadOutcome, Result, RowStream,
    StoredEvent,
};

use crate::{
    SqliteWarehouse,
    database::{counted, failed, position, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    quarantine,
    rows::corrupt,
};

struct EventIncoming;

impl IncomingTable<EventRecord> for EventIncoming {
    fn encode(line: u64, row: EventRecord) -> Value {
        json!([stored(line), row.company_id.as_str(), row.date, row.event_id.as_str(), row.events])
    }

    async fn insert(connection: &mut SqliteConnection, rows: &str) -> sqlx::Result<()> {
        sqlx::query_file!("sql/events/insert_incoming.sql", rows).execute(connection).await.map(|_| ())
    }
}

#[async_trait]
impl EventStaging for SqliteWarehouse {
    async fn new_event_files(&self, files: &[EventFile]) -> Result<Vec<usize>> {
        let delivered = Value::from_iter(files.iter().map(|file| json!([file.path, file.etag]))).to_string();
        let new = sqlx::query_file_scalar!("sql/events/new_files.sql", delivered)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        Ok(new.into_iter().map(position).collect())
    }

    async fn load_event_file(
        &self,
        fence: &Fence,
        file: &EventFile,
        rows: RowStream<'_, EventRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        let delivery = Delivery { origin: &file.path, fence, now };
        let mut counters = incoming::read::<_, EventIncoming>(&mut transaction, &delivery, rows).await?;
        counters.bytes_read = file.bytes;
        keep_last_records(&mut transaction, &delivery, &mut counters).await?;
        apply_changes(&mut transaction, file, &mut counters).await?;
        record_file(&mut transaction, &delivery, file).await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one record an event, and accounts for the others.
async fn keep_last_records(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    counters: &mut Counters,
) -> Result<()> {
    let run_id = delivery.fence.run_id.to_string();
    let superseded = sqlx::query_file!(
        "sql/events/quarantine_superseded.sql",
        delivery.origin,
        run_id,
        delivery.fence.stage,
        delivery.now
    )
    .execute(&mut **transaction)
    .await
    .map_err(failed)?
    .rows_affected();
    let dropped = sqlx::query_file!("sql/events/keep_last_records.sql")
        .execute(&mut **transaction)
        .await
        .map_err(failed)?
        .rows_affected();
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

/// Writes what the file has the last word on, and the sums that change with it.
async fn apply_changes(
    connection: &mut SqliteConnection,
    file: &EventFile,
    counters: &mut Counters,
) -> Result<()> {
    let arrived = counters.rows_read - counters.rows_rejected - counters.rows_duplicate;
    sqlx::query_file!("sql/events/find_changes.sql", file.path)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let changes = sqlx::query_file!("sql/events/count_changes.sql")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query_file!("sql/events/upsert_changed.sql", file.path)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let (written, overruled) = (counted(changes.written), counted(changes.overruled));
    if written > 0 {
        sum_up(connection, file).await?;
    }
    counters.rows_written = written;
    counters.rows_duplicate += overruled;
    counters.rows_unchanged = arrived - written - overruled;
    Ok(())
}

async fn sum_up(connection: &mut SqliteConnection, file: &EventFile) -> Result<()> {
    sqlx::query_file!("sql/events/sum_changed_days.sql").execute(&mut *connection).await.map_err(failed)?;
    let overflow = sqlx::query_file!("sql/events/find_overflow.sql")
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    if let Some(day) = overflow {
        return Err(file.refused_for_sum(&day.company_id, day.date));
    }
    sqlx::query_file!("sql/events/upsert_sums.sql").execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn record_file(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    file: &EventFile,
) -> Result<()> {
    let (run_id, bytes) = (delivery.fence.run_id.to_string(), stored(file.bytes));
    let connection = &mut **transaction;
    sqlx::query_file!("sql/events/record_file.sql", file.path, file.etag, bytes, run_id, delivery.now)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    quarantine::keep_first_met(connection, delivery.origin).await?;
    sqlx::query!("DELETE FROM event_incoming").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM event_changes").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM event_sums").execute(connection).await.map_err(failed)?;
    Ok(())
}

#[async_trait]
impl EventReader for SqliteWarehouse {
    async fn stored_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<StoredEvent>> {
        let (company_id, start, end) = (company.as_str(), window.start(), window.end());
        let rows = sqlx::query_file!("sql/events/stored_events.sql", company_id, start, end)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                let event_id = EventId::parse(&row.event_id).map_err(corrupt)?;
                let (company_id, date, events) = (company.clone(), row.date, row.events);
                let record = EventRecord { company_id, date, event_id, events };
                Ok(StoredEvent { record, source_path: row.source_path })
            })
            .collect()
    }

    async fn daily_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<DailyEvents>> {
        let (company_id, start, end) = (company.as_str(), window.start(), window.end());
        sqlx::query_file_as!(DailyEvents, "sql/events/daily_events.sql", company_id, start, end)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)
    }
}
