//! Staging of CRM exports.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use domain::{CompanyAttributes, CompanyId, Concerns, Counters, CrmCompany, Rejection, SourceRow};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use warehouse_core::{
    CrmDays, CrmExport, CrmStaging, Delivered, Error, Fence, LoadOutcome, NOTHING_READABLE, NamedCompanies,
    RowStream, SnapshotLimits, UndatedExport,
    engine::{Arrival, CrmHistory, CrmStep, Delivery, balanced, counted, position, stored, take_over},
    noted,
};

use crate::{
    crm_history::History,
    database::SqliteWarehouse,
    fault::Result,
    fence,
    incoming::{self, IncomingTable, RowValues},
    quarantine, replays,
};

struct CrmIncoming;

/// What is staged of a row of an export.
struct IncomingCompany {
    line: i64,
    company_id: CompanyId,
    attributes: CompanyAttributes,
    unreadable: i32,
}

impl IncomingTable<CrmCompany> for CrmIncoming {
    type Row = IncomingCompany;

    const INSERT: &'static str = "INSERT INTO crm_incoming (line, company_id, name, country, industry_tag, \
                                  last_contact_at, unreadable) ";

    fn readable(line: u64, row: CrmCompany) -> IncomingCompany {
        let CrmCompany { company_id, attributes, .. } = row;
        IncomingCompany { line: stored(line), company_id, attributes, unreadable: 0 }
    }

    fn unreadable(row: &SourceRow<CrmCompany>) -> Option<IncomingCompany> {
        let (line, company_id, attributes, unreadable) = match row {
            SourceRow::Partial { row, rejection } => {
                (rejection.line, &row.company_id, row.attributes.clone(), row.unreadable.bits())
            }
            SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) => {
                (*line, company_id, CompanyAttributes::default(), NOTHING_READABLE)
            }
            SourceRow::Accepted { .. } | SourceRow::Rejected(_) => return None,
        };
        Some(IncomingCompany { line: stored(line), company_id: company_id.clone(), attributes, unreadable })
    }

    fn bind(row: IncomingCompany, values: &mut RowValues<'_>) {
        let CompanyAttributes { name, country, industry_tag, last_contact_at } = row.attributes;
        values
            .push_bind(row.line)
            .push_bind(row.company_id.as_str())
            .push_bind(name)
            .push_bind(country)
            .push_bind(industry_tag)
            // To the microsecond, as in every engine.
            .push_bind(last_contact_at.map(|at| at.trunc_subsecs(6)))
            .push_bind(row.unreadable);
    }
}

#[async_trait]
impl CrmStaging for SqliteWarehouse {
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>, Error> {
        let delivered: Value =
            exports.iter().map(|file| json!([file.path, file.effective_on, file.etag])).collect();
        self.once(async |connection| {
            let new = sqlx::query_file_scalar!("sql/crm/new_exports.sql", delivered.to_string());
            Ok(new.fetch_all(connection).await?.into_iter().map(position).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays, Error> {
        let asked: Value = undated.iter().map(|file| json!([file.path, file.etag])).collect();
        self.read(async |connection| {
            let decided = sqlx::query_file_scalar!("sql/crm/undated_days.sql", asked.to_string());
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
        let loaded = self.write(async |connection| {
            fence::check(connection, fence).await?;
            let business_date = Some(export.effective_on);
            let delivery = Delivery { origin: &export.path, fence, business_date, now };
            let (rows, notes) = noted(rows);
            let mut counters = incoming::read::<_, CrmIncoming>(connection, &delivery, rows).await?;
            let mut received = notes.into_received();
            counters.bytes_read = export.bytes;
            let accepted = keep_last_rows(connection, &delivery, &mut counters).await?;
            received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            let named = named_companies(connection).await?;
            let mut history = History(connection);
            let place = history.around(export.effective_on).await?;
            if let Err(refused) = place.judge(export, &received, named, limits) {
                // The rejected rows are recorded all the same.
                replays::answer(connection, Delivered::Export(&export.path), now).await?;
                end_load(connection, &delivery).await?;
                return Ok(Err(refused));
            }
            if place.is_overruled(export) {
                counters.rows_unchanged = accepted;
            } else {
                let arrival = Arrival { export, accepted, keeps_unnamed: received.may_lack_anyone };
                take_over(&mut history, arrival, &place, &mut counters).await?;
            }
            record_export(connection, &delivery, export, named).await?;
            Ok(Ok(LoadOutcome { counters: balanced(counters)? }))
        });
        loaded.await?
    }
}

/// Keeps one row per company, counts the others, and returns how many fully readable
/// ones remain.
async fn keep_last_rows(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    counters: &mut Counters,
) -> Result<u64> {
    let Delivery { origin, fence, business_date, now } = delivery;
    let run_id = fence.run_id.hyphenated();
    sqlx::query_file!("../sql/crm/drop_unread_rows.sql").execute(&mut *connection).await?;
    let superseded = sqlx::query_file!(
        "sql/crm/quarantine_superseded.sql",
        origin,
        run_id,
        fence.stage,
        now,
        *business_date
    );
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = sqlx::query_file!("sql/crm/keep_last_rows.sql", false);
    let dropped = dropped.execute(&mut *connection).await?.rows_affected();
    // These already count as rejected.
    sqlx::query_file!("sql/crm/keep_last_rows.sql", true).execute(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(counters.rows_read - counters.rows_rejected - counters.rows_duplicate)
}

async fn named_companies(connection: &mut SqliteConnection) -> Result<NamedCompanies> {
    let named = sqlx::query_file!("../sql/crm/count_named.sql").fetch_one(connection).await?;
    Ok(NamedCompanies { readable: counted(named.readable)?, all: counted(named.all)? })
}

async fn record_export(
    connection: &mut SqliteConnection,
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
        delivery.fence.run_id.hyphenated(),
        delivery.now,
        export.archive_path
    )
    .execute(&mut *connection)
    .await?;
    replays::answer(connection, Delivered::Export(&export.path), delivery.now).await?;
    end_load(connection, delivery).await
}

/// Empties the tables of a load, and quarantines its rejected rows.
async fn end_load(connection: &mut SqliteConnection, delivery: &Delivery<'_>) -> Result<()> {
    quarantine::keep_first_met(connection, delivery.origin).await?;
    let mut history = History(connection);
    history.execute(CrmStep::ClearIncoming).await?;
    history.execute(CrmStep::ClearChanges).await?;
    Ok(())
}
