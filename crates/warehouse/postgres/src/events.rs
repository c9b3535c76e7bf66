//! Single events and their daily sums.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, EventRecord, RejectionLimit};
use sqlx::PgConnection;
use warehouse_core::{
    Delivered, Error, EventFile, EventStaging, Fence, LoadOutcome, RowStream,
    engine::{Delivery, balanced, counted, position, stored},
    noted,
};

use crate::{
    copy_rows::CopyRows,
    database::PostgresWarehouse,
    fault::Result,
    fence,
    incoming::{self, IncomingTable},
    locks::Lock,
    quarantine, replays,
};

struct EventIncoming;

impl IncomingTable<EventRecord> for EventIncoming {
    const CREATE: &'static str = include_str!("../sql/events/create_incoming.sql");
    const COPY: &'static str =
        "COPY event_incoming (line, company_id, date, event_id, events) FROM STDIN (FORMAT binary)";

    fn encode(rows: &mut CopyRows, line: i64, row: &EventRecord) {
        rows.row(5)
            .bigint(line)
            .text(row.company_id.as_str())
            .date(row.date)
            .text(row.event_id.as_str())
            .bigint(row.events);
    }
}

#[async_trait]
impl EventStaging for PostgresWarehouse {
    async fn new_event_files(&self, files: &[EventFile]) -> Result<Vec<usize>, Error> {
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        let etags: Vec<_> = files.iter().map(|file| file.etag.clone()).collect();
        self.once(async |connection| {
            let new = sqlx::query_file_scalar!("sql/events/new_files.sql", &paths, &etags);
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
        let loaded = self.load(async |connection| {
            fence::check(connection, fence).await?;
            let (rows, notes) = noted(rows);
            let delivered = incoming::read::<_, EventIncoming>(connection, rows).await?;
            let mut counters = Counters { bytes_read: file.bytes, ..delivered.counters };
            keep_last_records(connection, &mut counters).await?;

            Lock::Events.take(connection).await?;
            let delivery = Delivery { origin: &file.path, fence, business_date: None, now };
            let mut received = notes.into_received();
            if counters.rows_rejected > 0 {
                received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            }
            if let Err(refused) = file.judge(&received, limit) {
                // The rejected records are recorded all the same.
                replays::answer(connection, Delivered::EventFile(&file.path), now).await?;
                quarantine::replace(connection, &delivery).await?;
                fence::hold(connection, fence).await?;
                return Ok(Err(refused));
            }
            if let Some(days) = Days::of_incoming(connection).await? {
                apply_changes(connection, file, days, &mut counters).await?;
            }
            record_file(connection, &delivery, file).await?;
            let counters = balanced(counters)?;
            fence::hold(connection, fence).await?;
            Ok(Ok(LoadOutcome { counters }))
        });
        loaded.await?
    }
}

/// Keeps one record per event, and counts the others.
async fn keep_last_records(connection: &mut PgConnection, counters: &mut Counters) -> Result<()> {
    let superseded = sqlx::query_file!("sql/events/quarantine_superseded.sql");
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = sqlx::query_file!("sql/events/keep_last_records.sql").execute(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped.rows_affected() - superseded;
    Ok(())
}

/// The first and the last day in a file.
#[derive(Debug, Clone, Copy)]
struct Days {
    first: NaiveDate,
    last: NaiveDate,
}

impl Days {
    async fn of_incoming(connection: &mut PgConnection) -> Result<Option<Self>> {
        let days = sqlx::query_file!("sql/events/days_of_incoming.sql").fetch_one(connection).await?;
        Ok(days.first_day.zip(days.last_day).map(|(first, last)| Self { first, last }))
    }
}

/// Writes the events that the file decides, and the sums that change with them.
async fn apply_changes(
    connection: &mut PgConnection,
    file: &EventFile,
    days: Days,
    counters: &mut Counters,
) -> Result<()> {
    let arrived = counters.rows_read - counters.rows_rejected - counters.rows_duplicate;
    sqlx::query_file!("sql/events/find_changes.sql", file.path, days.first, days.last)
        .execute(&mut *connection)
        .await?;
    let changes = sqlx::query_file!("../sql/events/count_changes.sql").fetch_one(&mut *connection).await?;
    sqlx::query_file!("sql/events/ensure_partitions.sql").fetch_all(&mut *connection).await?;
    sqlx::query_file!("../sql/events/upsert_changed.sql", file.path).execute(&mut *connection).await?;
    if changes.written > 0 {
        sum_up(connection, file, days).await?;
        sqlx::query_file!("sql/events/analyze_grown.sql", days.first, days.last, changes.written)
            .execute(connection)
            .await?;
    }
    let (written, overruled) = (counted(changes.written)?, counted(changes.overruled)?);
    counters.rows_written = written;
    counters.rows_duplicate += overruled;
    counters.rows_unchanged = arrived - written - overruled;
    Ok(())
}

async fn sum_up(connection: &mut PgConnection, file: &EventFile, days: Days) -> Result<()> {
    sqlx::query_file!("sql/events/sum_changed_days.sql", days.first, days.last)
        .execute(&mut *connection)
        .await?;
    let overflow = sqlx::query_file!("sql/events/find_overflow.sql").fetch_optional(&mut *connection).await?;
    if let Some(day) = overflow {
        return Err(file.refused_for_sum(&day.company_id, day.date).into());
    }
    sqlx::query_file!("sql/events/upsert_sums.sql").execute(connection).await?;
    Ok(())
}

async fn record_file(connection: &mut PgConnection, delivery: &Delivery<'_>, file: &EventFile) -> Result<()> {
    sqlx::query_file!(
        "../sql/events/record_file.sql",
        file.path,
        file.etag,
        stored(file.bytes),
        delivery.fence.run_id,
        delivery.now
    )
    .execute(&mut *connection)
    .await?;
    quarantine::replace(connection, delivery).await
}
