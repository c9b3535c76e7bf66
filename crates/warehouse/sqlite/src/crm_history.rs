//! The history of the companies: where an export stands among the snapshots, and
//! what it makes of the versions.

use chrono::NaiveDate;
use domain::Counters;
use sqlx::SqliteConnection;
use warehouse_core::{CrmExport, Neighbourhood, Result, Snapshot};

use crate::database::{bump_staging_version, counted, failed};

/// An export whose rows wait to be taken over, one a company.
pub(crate) struct Arrival<'a> {
    pub(crate) export: &'a CrmExport,
    /// Rows that can be read in full.
    pub(crate) accepted: u64,
    /// Whether companies that it does not name stay as they were.
    pub(crate) keeps_unnamed: bool,
}

/// The snapshots around a day.
pub(crate) async fn around(connection: &mut SqliteConnection, day: NaiveDate) -> Result<Neighbourhood> {
    let found = sqlx::query_file!("sql/crm/around.sql", day).fetch_all(connection).await.map_err(failed)?;
    let found = found.into_iter().map(|row| Snapshot {
        on: row.on,
        path: row.path,
        companies: counted(row.companies),
    });
    Ok(found.fold(Neighbourhood::default(), |place, snapshot| place.with(day, snapshot)))
}

/// Makes the state on the export's day what the export says, keeps the versions
/// in their canonical form, and marks dirty what may have changed.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    arrival: &Arrival<'_>,
    place: &Neighbourhood,
    counters: &mut Counters,
) -> Result<()> {
    let Arrival { export, accepted, keeps_unnamed } = arrival;
    let (day, previous, next) = (export.effective_on, place.previous_day(), place.next_day());
    inherit(connection, day, previous, *keeps_unnamed).await?;
    let held_before = place.held_before();
    sqlx::query_file!("sql/crm/find_changes.sql", held_before)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let changes =
        sqlx::query_file!("sql/crm/count_changes.sql").fetch_one(&mut *connection).await.map_err(failed)?;
    counters.rows_written = counted(changes.written);
    counters.rows_removed = counted(changes.removed);
    counters.rows_unchanged = accepted.saturating_sub(counters.rows_written);

    if place.same_day.is_none() {
        extend_unchanged(connection, day, previous, next).await?;
    }
    take_over_changes(connection, day, previous, next).await?;
    sqlx::query!(
        "INSERT OR REPLACE INTO crm_snapshots (effective_on, path, companies, keeps_unnamed)
         SELECT ?1, ?2, COUNT(*), ?3 FROM crm_incoming",
        day,
        export.path,
        keeps_unnamed
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    if place.same_day.is_none() || changes.all > 0 {
        bump_staging_version(connection).await?;
        derive_heirs(connection, day).await?;
    }
    Ok(())
}

/// Completes what the export says by the snapshot before it, where something
/// could not be read, and keeps what that was.
async fn inherit(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    previous: Option<NaiveDate>,
    keeps_unnamed: bool,
) -> Result<()> {
    if keeps_unnamed {
        sqlx::query_file!("sql/crm/keep_unnamed.sql", previous)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    sqlx::query!("DELETE FROM crm_unreadable WHERE effective_on = ?1", day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let unreadable = sqlx::query_file!("sql/crm/record_unreadable.sql", day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    if unreadable.rows_affected() > 0 {
        sqlx::query_file!("sql/crm/inherit_fields.sql", previous)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        sqlx::query_file!("sql/crm/drop_unknown.sql", previous).execute(connection).await.map_err(failed)?;
    }
    Ok(())
}

/// Derives the snapshots after `day` again that take something from the one
/// before them, as far as that has changed. As a rule there is none.
async fn derive_heirs(connection: &mut SqliteConnection, mut day: NaiveDate) -> Result<()> {
    loop {
        let heir = sqlx::query_file!("sql/crm/heir.sql", day)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
        let Some(heir) = heir else { return Ok(()) };
        let (before, on) = (day, heir.effective_on);
        clear(connection).await?;
        if heir.keeps_unnamed {
            sqlx::query_file!("sql/crm/mark_unnamed.sql", on, before)
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
        sqlx::query_file!("sql/crm/derive_again.sql", on, before)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        let changed = sqlx::query_file!("sql/crm/find_derived_changes.sql", on)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        if changed.rows_affected() == 0 {
            return Ok(());
        }
        let next = around(connection, on).await?.next_day();
        take_over_changes(connection, on, Some(before), next).await?;
        sqlx::query_file!("sql/crm/resize_snapshot.sql", on)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        day = on;
    }
}

/// Takes the changed companies of a snapshot over into the versions, and marks
/// dirty the days on which that may be seen.
async fn take_over_changes(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    previous: Option<NaiveDate>,
    next: Option<NaiveDate>,
) -> Result<()> {
    write_versions(connection, day, previous, next).await?;
    sqlx::query!(
        "INSERT OR IGNORE INTO known_companies (company_id)
         SELECT company_id FROM crm_changes WHERE is_present"
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    let is_first = previous.is_none();
    sqlx::query_file!("sql/crm/mark_dirty.sql", day, is_first).execute(connection).await.map_err(failed)?;
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

/// Empties the tables of a load.
pub(crate) async fn clear(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("DELETE FROM crm_incoming").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM crm_changes").execute(connection).await.map_err(failed)?;
    Ok(())
}
