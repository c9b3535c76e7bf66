//! Staging of CRM exports.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SecondsFormat, SubsecRound, Utc};
use domain::{Concerns, Counters, CrmCompany, Rejection, SourceRow};
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use warehouse_core::{
    CrmDays, CrmExport, CrmStaging, Error, Fence, LoadOutcome, NOTHING_READABLE, NamedCompanies, Result,
    RowStream, SnapshotLimits, UndatedExport, noted, unreadable_bits,
};

use crate::{
    SqliteWarehouse,
    crm_history::{self, Arrival},
    database::{counted, failed, position, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    quarantine,
};

struct CrmIncoming;

fn encode(line: u64, row: &CrmCompany, unreadable: i32) -> Value {
    // To the microsecond, as every engine keeps it, and in the spelling that sqlx
    // gives timestamps it binds, so that equal ones compare equal.
    let last_contact_at =
        row.last_contact_at.map(|at| at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, false));
    json!([
        stored(line),
        row.company_id.as_str(),
        row.name,
        row.country,
        row.industry_tag,
        last_contact_at,
        unreadable
    ])
}

impl IncomingTable<CrmCompany> for CrmIncoming {
    fn encode(line: u64, row: CrmCompany) -> Value {
        encode(line, &row, 0)
    }

    fn encode_unreadable(row: &SourceRow<CrmCompany>) -> Option<Value> {
        match row {
            SourceRow::Partial { row, rejection } => {
                Some(encode(rejection.line, row, unreadable_bits(row.unreadable)))
            }
            SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) => {
                let nothing = Value::Null;
                Some(json!([
                    stored(*line),
                    company_id.as_str(),
                    nothing,
                    nothing,
                    nothing,
                    nothing,
                    NOTHING_READABLE
                ]))
            }
            SourceRow::Accepted { .. } | SourceRow::Rejected(_) => None,
        }
    }

    async fn insert(connection: &mut SqliteConnection, rows: &str) -> sqlx::Result<()> {
        sqlx::query_file!("sql/crm/insert_incoming.sql", rows).execute(connection).await.map(|_| ())
    }
}

#[async_trait]
impl CrmStaging for SqliteWarehouse {
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>> {
        let delivered =
            Value::from_iter(exports.iter().map(|file| json!([file.path, file.effective_on, file.etag])));
        let delivered = delivered.to_string();
        let new = sqlx::query_file_scalar!("sql/crm/new_exports.sql", delivered)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        Ok(new.into_iter().map(position).collect())
    }

    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays> {
        let asked = Value::from_iter(undated.iter().map(|file| json!([file.path, file.etag]))).to_string();
        let mut transaction = self.begin_read().await?;
        let decided = sqlx::query_file_scalar!("sql/crm/undated_days.sql", asked)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        let days = sqlx::query_file!("sql/crm/newest_day.sql", today)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        Ok(CrmDays { decided, first_snapshot: days.first_snapshot, newest: days.newest })
    }

    async fn crm_archive_before(&self, day: NaiveDate) -> Result<Option<String>> {
        let found = sqlx::query_file_scalar!("sql/crm/archive_before.sql", day)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        Ok(found.flatten())
    }

    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        let delivery = Delivery { origin: &export.path, fence, now };
        let (rows, notes) = noted(rows);
        let mut counters = incoming::read::<_, CrmIncoming>(&mut transaction, &delivery, rows).await?;
        let received = notes.into_received();
        counters.bytes_read = export.bytes;
        let accepted = keep_last_rows(&mut transaction, &delivery, &mut counters).await?;
        let named = named_companies(&mut transaction).await?;
        let place = crm_history::around(&mut transaction, export.effective_on).await?;
        if let Err(refused) = place.judge(export, &received, named, limits) {
            // What is wrong with the rows is told all the same.
            end_load(&mut transaction, &delivery).await?;
            transaction.commit().await.map_err(failed)?;
            return Err(refused);
        }
        if place.is_overruled(export) {
            counters.rows_unchanged = accepted;
        } else {
            let arrival = Arrival { export, accepted, keeps_unnamed: received.may_lack_anyone };
            crm_history::apply(&mut transaction, &arrival, &place, &mut counters).await?;
        }
        record_export(&mut transaction, &delivery, export, named).await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one row a company, accounts for the others, and returns how many are
/// left that can be read in full.
async fn keep_last_rows(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    counters: &mut Counters,
) -> Result<u64> {
    sqlx::query_file!("sql/crm/drop_unread_rows.sql").execute(&mut **transaction).await.map_err(failed)?;
    let run_id = delivery.fence.run_id.to_string();
    let superseded = sqlx::query_file!(
        "sql/crm/quarantine_superseded.sql",
        delivery.origin,
        run_id,
        delivery.fence.stage,
        delivery.now
    )
    .execute(&mut **transaction)
    .await
    .map_err(failed)?
    .rows_affected();
    let dropped = sqlx::query_file!("sql/crm/keep_last_rows.sql", false)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?
        .rows_affected();
    // These are counted as rejected already.
    sqlx::query_file!("sql/crm/keep_last_rows.sql", true)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(counters.rows_read - counters.rows_rejected - counters.rows_duplicate)
}

async fn named_companies(connection: &mut SqliteConnection) -> Result<NamedCompanies> {
    let named = sqlx::query_file!("sql/crm/count_named.sql").fetch_one(connection).await.map_err(failed)?;
    Ok(NamedCompanies { readable: counted(named.readable), all: counted(named.all) })
}

async fn record_export(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    export: &CrmExport,
    named: NamedCompanies,
) -> Result<()> {
    let run_id = delivery.fence.run_id.to_string();
    let (bytes, companies) = (stored(export.bytes), stored(named.all));
    sqlx::query!(
        "INSERT OR REPLACE INTO crm_exports (path, effective_on, etag, bytes, companies, run_id, loaded_at, archive_path)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        export.path,
        export.effective_on,
        export.etag,
        bytes,
        companies,
        run_id,
        delivery.now,
        export.archive_path
    )
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    end_load(transaction, delivery).await
}

/// Leaves the tables of a load empty, and its rejected rows in quarantine.
async fn end_load(transaction: &mut Transaction<'static, Sqlite>, delivery: &Delivery<'_>) -> Result<()> {
    let connection = &mut **transaction;
    quarantine::keep_first_met(connection, delivery.origin).await?;
    crm_history::clear(connection).await
}
