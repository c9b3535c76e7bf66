//! The history of the companies: where an export stands among the snapshots, and
//! what it makes of the versions.

use chrono::NaiveDate;
use domain::Counters;
use sqlx::PgConnection;
use warehouse_core::{CrmExport, Error, Result, SnapshotLimits};

use crate::database::{bump_staging_version, counted, failed, stored};

/// The snapshots around the day on which an export takes effect.
pub(crate) struct Neighbourhood {
    /// The file that already takes effect on the day.
    same_day: Option<String>,
    previous: Option<(NaiveDate, u64)>,
    next: Option<NaiveDate>,
}

impl Neighbourhood {
    pub(crate) async fn of(connection: &mut PgConnection, day: NaiveDate) -> Result<Self> {
        let same_day = sqlx::query_scalar!("SELECT path FROM crm_snapshots WHERE effective_on = $1", day)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
        let previous = sqlx::query_file!("sql/crm/previous_snapshot.sql", day)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?
            .map(|row| (row.effective_on, counted(row.companies)));
        let next =
            sqlx::query_scalar!("SELECT MIN(effective_on) FROM crm_snapshots WHERE effective_on > $1", day)
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
    pub(crate) fn is_overruled(&self, export: &CrmExport) -> bool {
        self.same_day.as_ref().is_some_and(|path| *path > export.path)
    }

    pub(crate) fn check_size(
        &self,
        export: &CrmExport,
        companies: u64,
        limits: SnapshotLimits,
    ) -> Result<()> {
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
pub(crate) async fn apply(
    connection: &mut PgConnection,
    export: &CrmExport,
    place: &Neighbourhood,
    companies: u64,
    counters: &mut Counters,
) -> Result<()> {
    let (day, next) = (export.effective_on, place.next);
    let previous = place.previous.map(|(previous, _)| previous);

    sqlx::query_file!("sql/crm/find_changes.sql", place.held_before(day))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let changes =
        sqlx::query_file!("sql/crm/count_changes.sql").fetch_one(&mut *connection).await.map_err(failed)?;
    counters.rows_written = counted(changes.written);
    counters.rows_removed = counted(changes.removed);
    counters.rows_unchanged = companies - counters.rows_written;

    if place.same_day.is_none() {
        extend_unchanged(connection, day, previous, next).await?;
    }
    write_versions(connection, day, previous, next).await?;
    sqlx::query_file!("sql/crm/name_companies.sql").execute(&mut *connection).await.map_err(failed)?;
    if place.same_day.is_none() || changes.written + changes.removed > 0 {
        // Before the published days are looked at: none is added until this commits.
        bump_staging_version(connection).await?;
    }
    sqlx::query_file!("sql/crm/mark_dirty.sql", day, previous.is_none())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query_file!("sql/crm/record_snapshot.sql", day, export.path, stored(companies))
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// A snapshot on a new day also speaks for the companies it does not change.
async fn extend_unchanged(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
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
