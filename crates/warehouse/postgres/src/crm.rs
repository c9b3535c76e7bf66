//! Staging of CRM exports.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{CompanyAttributes, CompanyId, Concerns, Counters, CrmCompany, Rejection, SourceRow};
use sqlx::{Executor as _, PgConnection};
use warehouse_core::{
    CrmDays, CrmExport, CrmStaging, Delivered, Error, Fence, LoadOutcome, NOTHING_READABLE, NamedCompanies,
    RowStream, SnapshotLimits, UndatedExport,
    engine::{Arrival, CrmHistory, Delivery, balanced, counted, position, stored, take_over},
    noted,
};

use crate::{
    copy_rows::CopyRows,
    crm_history::History,
    database::PostgresWarehouse,
    fault::Result,
    fence,
    incoming::{self, IncomingTable},
    locks::Lock,
    quarantine, replays,
};

struct CrmIncoming;

impl IncomingTable<CrmCompany> for CrmIncoming {
    const CREATE: &'static str = include_str!("../sql/crm/create_incoming.sql");
    const COPY: &'static str = "COPY crm_incoming \
                                (line, company_id, name, country, industry_tag, last_contact_at, unreadable) \
                                FROM STDIN (FORMAT binary)";

    fn encode(rows: &mut CopyRows, line: i64, row: &CrmCompany) {
        encode(rows, line, &row.company_id, &row.attributes, 0);
    }

    fn encode_unreadable(rows: &mut CopyRows, row: &SourceRow<CrmCompany>) {
        match row {
            SourceRow::Partial { row, rejection } => {
                let line = stored(rejection.line);
                encode(rows, line, &row.company_id, &row.attributes, row.unreadable.bits());
            }
            SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) => {
                let nothing = CompanyAttributes::default();
                encode(rows, stored(*line), company_id, &nothing, NOTHING_READABLE);
            }
            SourceRow::Accepted { .. } | SourceRow::Rejected(_) => {}
        }
    }

    fn company(row: &SourceRow<CrmCompany>) -> Option<&CompanyId> {
        match row {
            SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } => Some(&row.company_id),
            SourceRow::Rejected(Rejection { concerns: Concerns::Company(company_id), .. }) => {
                Some(company_id)
            }
            SourceRow::Rejected(_) => None,
        }
    }
}

fn encode(
    rows: &mut CopyRows,
    line: i64,
    company_id: &CompanyId,
    attributes: &CompanyAttributes,
    unreadable: i32,
) {
    rows.row(7)
        .bigint(line)
        .text(company_id.as_str())
        .optional_text(attributes.name.as_deref())
        .optional_text(attributes.country.as_deref())
        .optional_text(attributes.industry_tag.as_deref())
        .optional_timestamp(attributes.last_contact_at)
        .integer(unreadable);
}

#[async_trait]
impl CrmStaging for PostgresWarehouse {
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>, Error> {
        let paths: Vec<_> = exports.iter().map(|export| export.path.clone()).collect();
        let days: Vec<_> = exports.iter().map(|export| export.effective_on).collect();
        let etags: Vec<_> = exports.iter().map(|export| export.etag.clone()).collect();
        self.once(async |connection| {
            let new = sqlx::query_file_scalar!("sql/crm/new_exports.sql", &paths, &days, &etags);
            Ok(new.fetch_all(connection).await?.into_iter().map(position).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays, Error> {
        let paths: Vec<_> = undated.iter().map(|file| file.path.clone()).collect();
        let etags: Vec<_> = undated.iter().map(|file| file.etag.clone()).collect();
        self.once(async |connection| {
            let decided = sqlx::query_file_scalar!("sql/crm/undated_days.sql", &paths, &etags);
            let decided = decided.fetch_all(&mut *connection).await?;
            let days = sqlx::query_file!("sql/crm/newest_day.sql", today).fetch_one(connection).await?;
            Ok(CrmDays { decided, first_snapshot: days.first_snapshot, newest: days.newest })
        })
        .await
    }

    async fn crm_archive_before(&self, day: NaiveDate) -> Result<Option<String>, Error> {
        self.once(async |connection| {
            let path = sqlx::query_file_scalar!("../sql/crm/archive_before.sql", day);
            Ok(path.fetch_optional(connection).await?.flatten())
        })
        .await
    }

    async fn crm_replays(&self) -> Result<Vec<CrmExport>, Error> {
        self.once(async |connection| {
            let exports = sqlx::query_file!("../sql/crm/replayed_exports.sql").fetch_all(connection).await?;
            let exports = exports.into_iter().map(|export| {
                let (bytes, effective_on) = (counted(export.bytes)?, export.effective_on);
                let (path, etag, archive_path) = (export.path, export.etag, export.archive_path);
                Ok(CrmExport { path, etag, effective_on, bytes, archive_path })
            });
            exports.collect()
        })
        .await
    }

    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome, Error> {
        let loaded = self.load(async |connection| {
            fence::check(connection, fence).await?;
            let (rows, notes) = noted(rows);
            // Compares an export with the history in memory rather than on disk.
            connection.execute("SET LOCAL work_mem = '64MB'").await?;
            let delivered = incoming::read::<_, CrmIncoming>(connection, rows).await?;
            let mut counters = Counters { bytes_read: export.bytes, ..delivered.counters };
            let mut received = notes.into_received();
            if delivered.may_repeat {
                keep_last_rows(connection, &mut counters).await?;
            }
            let accepted = counters.rows_read - counters.rows_rejected - counters.rows_duplicate;
            let named = named_companies(connection, accepted, &counters).await?;

            Lock::Crm.take(connection).await?;
            let business_date = Some(export.effective_on);
            let delivery = Delivery { origin: &export.path, fence, business_date, now };
            if counters.rows_rejected > 0 {
                received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            }
            let mut history = History(connection);
            let place = history.around(export.effective_on).await?;
            if let Err(refused) = place.judge(export, &received, named, limits) {
                // The rejected rows are recorded all the same.
                replays::answer(connection, Delivered::Export(&export.path), now).await?;
                quarantine::replace(connection, &delivery).await?;
                fence::hold(connection, fence).await?;
                return Ok(Err(refused));
            }
            if place.is_overruled(export) {
                counters.rows_unchanged = accepted;
            } else {
                let arrival = Arrival { export, accepted, keeps_unnamed: received.may_lack_anyone };
                take_over(&mut history, arrival, &place, &mut counters).await?;
            }
            record_export(connection, &delivery, export, named).await?;
            let counters = balanced(counters)?;
            fence::hold(connection, fence).await?;
            Ok(Ok(LoadOutcome { counters }))
        });
        loaded.await?
    }
}

/// Counts the companies that the export names, of which it gives `accepted` in full.
async fn named_companies(
    connection: &mut PgConnection,
    accepted: u64,
    counters: &Counters,
) -> Result<NamedCompanies> {
    if counters.rows_rejected == 0 {
        return Ok(NamedCompanies { readable: accepted, all: accepted });
    }
    let named = sqlx::query_file!("../sql/crm/count_named.sql").fetch_one(connection).await?;
    Ok(NamedCompanies { readable: counted(named.readable)?, all: counted(named.all)? })
}

/// Keeps one row per company, and counts the others.
async fn keep_last_rows(connection: &mut PgConnection, counters: &mut Counters) -> Result<()> {
    if !sqlx::query_file_scalar!("sql/crm/has_repeats.sql").fetch_one(&mut *connection).await? {
        return Ok(());
    }
    sqlx::query_file!("../sql/crm/drop_unread_rows.sql").execute(&mut *connection).await?;
    let superseded = sqlx::query_file!("sql/crm/quarantine_superseded.sql");
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = sqlx::query_file!("sql/crm/keep_last_rows.sql", false);
    let dropped = dropped.execute(&mut *connection).await?.rows_affected();
    // These already count as rejected.
    sqlx::query_file!("sql/crm/keep_last_rows.sql", true).execute(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

async fn record_export(
    connection: &mut PgConnection,
    delivery: &Delivery<'_>,
    export: &CrmExport,
    named: NamedCompanies,
) -> Result<()> {
    sqlx::query_file!(
        "../sql/crm/record_export.sql",
        export.path,
        export.effective_on,
        export.etag,
        stored(export.bytes),
        stored(named.all),
        delivery.fence.run_id,
        delivery.now,
        export.archive_path
    )
    .execute(&mut *connection)
    .await?;
    replays::answer(connection, Delivered::Export(&export.path), delivery.now).await?;
    quarantine::replace(connection, delivery).await
}
