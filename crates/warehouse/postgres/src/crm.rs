//! Staging of CRM exports.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, CrmCompany};
use sqlx::PgConnection;
use warehouse_core::{CrmExport, CrmStaging, Error, Fence, LoadOutcome, Result, RowStream, SnapshotLimits};

use crate::{
    PostgresWarehouse,
    copy_rows::CopyRows,
    crm_history::{self, Neighbourhood},
    database::{begin_write, failed, position, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    locks::Lock,
    quarantine,
};

struct CrmIncoming;

impl IncomingTable<CrmCompany> for CrmIncoming {
    const CREATE: &'static str = include_str!("../sql/crm/create_incoming.sql");
    const COPY: &'static str = "COPY crm_incoming (line, company_id, name, country, industry_tag, last_contact_at) \
                                FROM STDIN (FORMAT binary)";

    fn encode(rows: &mut CopyRows, line: i64, row: &CrmCompany) {
        rows.row(6)
            .bigint(line)
            .text(row.company_id.as_str())
            .optional_text(row.name.as_deref())
            .optional_text(row.country.as_deref())
            .optional_text(row.industry_tag.as_deref())
            .optional_timestamp(row.last_contact_at);
    }
}

#[async_trait]
impl CrmStaging for PostgresWarehouse {
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>> {
        let paths: Vec<_> = exports.iter().map(|export| export.path.clone()).collect();
        let days: Vec<_> = exports.iter().map(|export| export.effective_on).collect();
        let etags: Vec<_> = exports.iter().map(|export| export.etag.clone()).collect();
        let new = sqlx::query_file_scalar!("sql/crm/new_exports.sql", &paths, &days, &etags)
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(failed)?;
        Ok(new.into_iter().map(position).collect())
    }

    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut connection = self.connect_load().await?;
        let mut transaction = begin_write(&mut connection).await?;
        fence::check(&mut transaction, fence).await?;
        let mut counters = incoming::read::<_, CrmIncoming>(&mut transaction, rows).await?;
        counters.bytes_read = export.bytes;
        let companies = keep_last_rows(&mut transaction, &mut counters).await?;

        Lock::Crm.take(&mut transaction).await?;
        let place = Neighbourhood::of(&mut transaction, export.effective_on).await?;
        place.check_size(export, companies, limits)?;
        if place.is_overruled(export) {
            counters.rows_unchanged = companies;
        } else {
            crm_history::apply(&mut transaction, export, &place, companies, &mut counters).await?;
        }
        record_export(&mut transaction, &Delivery { origin: &export.path, fence, now }, export, companies)
            .await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        fence::hold(&mut transaction, fence).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one row a company, accounts for the others, and returns how many are left.
async fn keep_last_rows(connection: &mut PgConnection, counters: &mut Counters) -> Result<u64> {
    let has_repeats = sqlx::query_file_scalar!("sql/crm/has_repeats.sql")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if has_repeats {
        let superseded = sqlx::query_file!("sql/crm/quarantine_superseded.sql")
            .execute(&mut *connection)
            .await
            .map_err(failed)?
            .rows_affected();
        let dropped = sqlx::query_file!("sql/crm/keep_last_rows.sql")
            .execute(connection)
            .await
            .map_err(failed)?
            .rows_affected();
        counters.rows_rejected += superseded;
        counters.rows_duplicate += dropped - superseded;
    }
    Ok(counters.rows_read - counters.rows_rejected - counters.rows_duplicate)
}

async fn record_export(
    connection: &mut PgConnection,
    delivery: &Delivery<'_>,
    export: &CrmExport,
    companies: u64,
) -> Result<()> {
    sqlx::query_file!(
        "sql/crm/record_export.sql",
        export.path,
        export.effective_on,
        export.etag,
        stored(export.bytes),
        stored(companies),
        delivery.fence.run_id,
        delivery.now,
        export.archive_path
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    quarantine::replace(connection, delivery).await
}
