//! Staging of CRM exports and their history.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SecondsFormat, SubsecRound, Utc};
use domain::{Counters, CrmCompany};
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use warehouse_core::{CrmExport, CrmStaging, Error, Fence, LoadOutcome, Result, RowStream, SnapshotLimits};

use crate::{
    SqliteWarehouse,
    database::{bump_staging_version, counted, failed, position, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    quarantine,
};

struct CrmIncoming;

impl IncomingTable<CrmCompany> for CrmIncoming {
    fn encode(line: u64, row: CrmCompany) -> Value {
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
            last_contact_at
        ])
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
        let mut counters = incoming::read::<_, CrmIncoming>(&mut transaction, &delivery, rows).await?;
        counters.bytes_read = export.bytes;
        let companies = keep_last_rows(&mut transaction, &delivery, &mut counters).await?;
        let place = Neighbourhood::of(&mut transaction, export.effective_on).await?;
        place.check_size(export, companies, limits)?;
        if place.is_overruled(export) {
            counters.rows_unchanged = companies;
        } else {
            apply(&mut transaction, export, &place, companies, &mut counters).await?;
        }
        record_export(&mut transaction, &delivery, export, companies).await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one row a company, accounts for the others, and returns how many are left.
async fn keep_last_rows(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    counters: &mut Counters,
) -> Result<u64> {
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
    let dropped = sqlx::query_file!("sql/crm/keep_last_rows.sql")
        .execute(&mut **transaction)
        .await
        .map_err(failed)?
        .rows_affected();
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(counters.rows_read - counters.rows_rejected - counters.rows_duplicate)
}

/// The snapshots around the day on which an export takes effect.
struct Neighbourhood {
    /// The snapshot that already takes effect on the day, and its size.
    same_day: Option<(String, u64)>,
    previous: Option<(NaiveDate, u64)>,
    next: Option<NaiveDate>,
}

impl Neighbourhood {
    async fn of(connection: &mut SqliteConnection, day: NaiveDate) -> Result<Self> {
        let same_day = sqlx::query!("SELECT path, companies FROM crm_snapshots WHERE effective_on = ?1", day)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?
            .map(|row| (row.path, counted(row.companies)));
        let previous = sqlx::query!(
            r#"SELECT effective_on AS "effective_on: NaiveDate", companies FROM crm_snapshots
               WHERE effective_on < ?1 ORDER BY effective_on DESC LIMIT 1"#,
            day
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?
        .map(|row| (row.effective_on, counted(row.companies)));
        let next = sqlx::query_scalar!(
            r#"SELECT MIN(effective_on) AS "next: NaiveDate" FROM crm_snapshots WHERE effective_on > ?1"#,
            day
        )
        .fetch_one(connection)
        .await
        .map_err(failed)?;
        Ok(Self { same_day, previous, next })
    }

    /// The snapshot whose state held on the day until now.
    fn held_before(&self, day: NaiveDate) -> Option<NaiveDate> {
        if self.same_day.is_some() {
            return Some(day);
        }
        self.previous.map(|(previous, _)| previous).or(self.next)
    }

    /// Whether another export that takes effect on the same day counts instead.
    fn is_overruled(&self, export: &CrmExport) -> bool {
        self.same_day.as_ref().is_some_and(|(path, _)| *path > export.path)
    }

    fn check_size(&self, export: &CrmExport, companies: u64, limits: SnapshotLimits) -> Result<()> {
        let path = &export.path;
        if companies == 0 {
            return Err(Error::Refused(format!("{path}: no valid company row: nothing of it was loaded")));
        }
        let Some((day, before)) = self.previous else { return Ok(()) };
        #[allow(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
        let share = before.saturating_sub(companies) as f64 / before.max(1) as f64;
        if share > limits.max_shrink_share {
            return Err(Error::Refused(format!(
                "{path}: {companies} companies, {:.0} % fewer than the {before} of the snapshot of {day}: more \
                 than the allowed {:.0} %; nothing of it was loaded. Check the export; if it is right, raise \
                 the limit and retry the run",
                share * 100.0,
                limits.max_shrink_share * 100.0
            )));
        }
        Ok(())
    }
}

/// Makes the state on the export's day what the export says, keeps the versions
/// in their canonical form, and marks dirty what may have changed.
async fn apply(
    transaction: &mut Transaction<'static, Sqlite>,
    export: &CrmExport,
    place: &Neighbourhood,
    companies: u64,
    counters: &mut Counters,
) -> Result<()> {
    let connection = &mut **transaction;
    let (day, next) = (export.effective_on, place.next);
    let previous = place.previous.map(|(previous, _)| previous);
    let held_before = place.held_before(day);
    let is_first = previous.is_none();

    sqlx::query_file!("sql/crm/find_changes.sql", held_before)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let changes = sqlx::query!(
        r#"SELECT COUNT(*) FILTER (WHERE is_present) AS "written!: i64",
                  COUNT(*) FILTER (WHERE NOT is_present) AS "removed!: i64" FROM crm_changes"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    counters.rows_written = counted(changes.written);
    counters.rows_removed = counted(changes.removed);
    counters.rows_unchanged = companies - counters.rows_written;

    if place.same_day.is_none() {
        extend_unchanged(connection, day, previous, next).await?;
    }
    write_versions(connection, day, previous, next).await?;
    sqlx::query!(
        "INSERT OR IGNORE INTO known_companies (company_id)
         SELECT company_id FROM crm_changes WHERE is_present"
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    sqlx::query_file!("sql/crm/mark_dirty.sql", day, is_first)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    if place.same_day.is_none() || changes.written + changes.removed > 0 {
        bump_staging_version(connection).await?;
    }
    let companies = stored(companies);
    sqlx::query!(
        "INSERT OR REPLACE INTO crm_snapshots (effective_on, path, companies) VALUES (?1, ?2, ?3)",
        day,
        export.path,
        companies
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// A snapshot on a new day also speaks for the companies it does not change.
async fn extend_unchanged(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    previous: Option<NaiveDate>,
    next: Option<NaiveDate>,
) -> Result<()> {
    match (previous, next) {
        (Some(previous), Some(_)) => {
            sqlx::query_file!("sql/crm/extend_unchanged_to.sql", day, previous)
                .execute(connection)
                .await
                .map_err(failed)?;
        }
        (None, Some(next)) => {
            sqlx::query_file!("sql/crm/extend_unchanged_from.sql", day, next)
                .execute(connection)
                .await
                .map_err(failed)?;
        }
        // Behind the newest snapshot versions are open, and reach the new one by themselves.
        (_, None) => {}
    }
    Ok(())
}

/// Cuts the export's day out of the versions of changed companies, puts in what
/// the export says, and joins it to equal neighbours.
async fn write_versions(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    previous: Option<NaiveDate>,
    next: Option<NaiveDate>,
) -> Result<()> {
    if let Some(next) = next {
        sqlx::query_file!("sql/crm/split_after.sql", day, next)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    sqlx::query_file!("sql/crm/drop_at.sql", day).execute(&mut *connection).await.map_err(failed)?;
    if let Some(previous) = previous {
        sqlx::query_file!("sql/crm/end_before.sql", day, previous)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    sqlx::query_file!("sql/crm/insert_versions.sql", day, next)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    // Both ends of the day, the later one first: a version may be joined across both.
    let seams = [next.map(|next| (day, next)), previous.map(|previous| (previous, day))];
    for (last, first) in seams.into_iter().flatten() {
        sqlx::query_file!("sql/crm/merge.sql", last, first)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        sqlx::query_file!("sql/crm/drop_merged.sql", first)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn record_export(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    export: &CrmExport,
    companies: u64,
) -> Result<()> {
    let connection = &mut **transaction;
    let run_id = delivery.fence.run_id.to_string();
    let (bytes, companies) = (stored(export.bytes), stored(companies));
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
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    quarantine::keep_first_met(connection, delivery.origin).await?;
    sqlx::query!("DELETE FROM crm_incoming").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM crm_changes").execute(connection).await.map_err(failed)?;
    Ok(())
}
