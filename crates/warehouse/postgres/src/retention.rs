//! Removes old data.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, DateWindow};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;
use warehouse_core::{
    AbandonedCandidates, Error, Fault, Fence, ForgottenDays, ForgottenHistory, HistoryStart, Obstacles,
    Retention, UnpublishedDays,
    engine::{corrupt, counted},
};

use crate::{
    candidate_months,
    database::PostgresWarehouse,
    fault::{Result, sqlstate},
    fence,
    locks::Lock,
    publish, reconciliation_log, runs,
};

/// How long to wait for loads, builds and publishes. Only others of their kind queue
/// behind this.
const PATIENCE_WITH_WRITERS: &str = "SET LOCAL lock_timeout = '30s'";

/// How long to wait for readers: all later ones queue behind this. Longer than Postgres
/// takes to cancel an autovacuum in the way (`deadlock_timeout`).
const PATIENCE_WITH_READERS: &str = "SET LOCAL lock_timeout = '2s'";

#[async_trait]
impl Retention for PostgresWarehouse {
    async fn forget_days_before(&self, start: HistoryStart, dry_run: bool) -> Result<ForgottenDays, Error> {
        let forgotten = self.scan(async |connection| {
            let forgotten = look(connection, start).await?;
            if forgotten != ForgottenDays::default() {
                obstacles(connection, start).await?.check(start)?;
            }
            Ok(forgotten)
        });
        let forgotten = forgotten.await?;
        if dry_run || forgotten == ForgottenDays::default() {
            return Ok(forgotten);
        }
        self.write(async |connection| forget(connection, start).await).await.map_err(reported_if_busy)
    }

    async fn forget_history_before(
        &self,
        kept_since: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<ForgottenHistory, Error> {
        if dry_run {
            let looked = self.scan(async |connection| look_at_history(connection, kept_since).await);
            return Ok(looked.await?.0);
        }
        self.write(async |connection| {
            connection.execute(PATIENCE_WITH_WRITERS).await?;
            publish::lock_versions(connection).await?;
            let (forgotten, kept_since) = look_at_history(connection, kept_since).await?;
            if forgotten != ForgottenHistory::default() {
                sqlx::query!("SELECT forget_history_before($1)", kept_since).execute(connection).await?;
            }
            Ok(forgotten)
        })
        .await
        .map_err(reported_if_busy)
    }

    async fn discard_abandoned_candidates(
        &self,
        ended_before: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Option<AbandonedCandidates>, Error> {
        let discarded = self.write(async |connection| discard(connection, ended_before, dry_run).await);
        discarded.await.map_err(reported_if_busy)
    }

    async fn forget_reconciliations_before(
        &self,
        kept_since: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<u64, Error> {
        self.write(async |connection| {
            reconciliation_log::forget_before(connection, kept_since, dry_run).await
        })
        .await
    }

    async fn landed_files_in_use(&self, paths: &[String]) -> Result<BTreeSet<String>, Error> {
        self.once(async |connection| {
            let found = sqlx::query_file_scalar!("sql/retention/landed_files_in_use.sql", paths);
            Ok(found.fetch_all(connection).await?.into_iter().collect())
        })
        .await
    }
}

/// What would be removed.
async fn look(connection: &mut PgConnection, start: HistoryStart) -> Result<ForgottenDays> {
    let counts = sqlx::query_file!("sql/retention/forgotten.sql", start.fact(), start.usage())
        .fetch_one(connection)
        .await?;
    Ok(ForgottenDays {
        days: counted(counts.days)?,
        rows: counted(counts.rows)?,
        usage_days: counted(counts.usage_days)?,
        usage_records: counted(counts.usage_records)?,
        events: counted(counts.events)?,
        partitions: counted(counts.partitions)?,
    })
}

async fn obstacles(connection: &mut PgConnection, start: HistoryStart) -> Result<Obstacles> {
    let found = sqlx::query_file!("sql/retention/obstacles.sql", start.fact()).fetch_one(connection).await?;
    let active_run = match (found.active_run, found.active_from, found.active_to) {
        (Some(run_id), Some(from), Some(to)) => Some((run_id, DateWindow::new(from, to).map_err(corrupt)?)),
        _ => None,
    };
    Ok(Obstacles { active_run, built_by: found.built_by, leaves_gap: found.leaves_gap })
}

/// Forgets within the caller's transaction. Locks what others' work rests on, and last
/// what many wait for.
async fn forget(connection: &mut PgConnection, start: HistoryStart) -> Result<ForgottenDays> {
    connection.execute(PATIENCE_WITH_WRITERS).await?;
    for lock in [Lock::Usage, Lock::Events, Lock::Candidates] {
        lock.take(connection).await?;
    }
    publish::lock_versions(connection).await?;
    let forgotten = look(connection, start).await?;
    connection.execute(PATIENCE_WITH_READERS).await?;
    // No run may start that relies on days about to be removed.
    connection.execute("SELECT hold_back_new_runs()").await?;
    obstacles(connection, start).await?.check(start)?;
    sqlx::query!("SELECT forget_months_before($1, $2)", start.fact(), start.usage())
        .execute(&mut *connection)
        .await?;
    clear_dirty(connection, start).await?;
    Ok(forgotten)
}

/// Clears what is dirty of the days that are gone, and counts their going like a publish.
async fn clear_dirty(connection: &mut PgConnection, start: HistoryStart) -> Result<()> {
    sqlx::query!("DELETE FROM dirty_company_days WHERE last_day < $1", start.fact())
        .execute(&mut *connection)
        .await?;
    sqlx::query_file!("sql/retention/clamp_dirty.sql", start.fact()).execute(&mut *connection).await?;
    sqlx::query_file!("../sql/retention/keep_build.sql").execute(&mut *connection).await?;
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1").execute(connection).await?;
    Ok(())
}

/// What of history would be removed, and until when.
async fn look_at_history(
    connection: &mut PgConnection,
    kept_since: DateTime<Utc>,
) -> Result<(ForgottenHistory, DateTime<Utc>)> {
    let newest = sqlx::query_scalar!("SELECT newest_publish FROM warehouse_versions")
        .fetch_one(&mut *connection)
        .await?;
    let Some(newest) = newest else { return Ok((ForgottenHistory::default(), kept_since)) };
    let kept_since = kept_since.min(newest);
    let found = sqlx::query_file!("../sql/retention/forgotten_history.sql", kept_since);
    let found = found.fetch_one(connection).await?;
    let forgotten =
        ForgottenHistory { rows: counted(found.rows)?, publications: counted(found.publications)? };
    Ok((forgotten, kept_since))
}

/// Takes back the published days of a window as the work of a stage.
pub(crate) async fn unpublish_days(
    connection: &mut PgConnection,
    fence: &Fence,
    window: DateWindow,
    now: DateTime<Utc>,
) -> Result<UnpublishedDays> {
    fence::hold(connection, fence).await?;
    let unpublished = unpublish(connection, fence.run_id, window, now).await?;
    let counters = Counters { rows_removed: unpublished.rows, ..Counters::default() };
    runs::complete_stage(connection, fence, counters, &[], now).await?;
    Ok(unpublished)
}

/// Takes published days back within the caller's transaction.
async fn unpublish(
    connection: &mut PgConnection,
    run_id: Uuid,
    window: DateWindow,
    now: DateTime<Utc>,
) -> Result<UnpublishedDays> {
    let (first, last) = (window.start(), window.end());
    // In the same order as forgetting, so that they never deadlock.
    Lock::Candidates.take(connection).await?;
    publish::lock_versions(connection).await?;
    let found = sqlx::query_file!("../sql/retention/published_in.sql", first, last)
        .fetch_one(&mut *connection)
        .await?;
    let taken_back = publish::time_of_publish(connection, now).await?;
    sqlx::query!("SELECT remove_unpublished_days($1, $2, $3, $4)", run_id, taken_back, first, last)
        .execute(&mut *connection)
        .await?;
    for statement in [
        "DELETE FROM fact_company_activity WHERE activity_date BETWEEN $1 AND $2",
        "DELETE FROM dirty_company_days WHERE first_day >= $1 AND last_day <= $2",
    ] {
        sqlx::query(statement).bind(first).bind(last).execute(&mut *connection).await?;
    }
    sqlx::query_file!("sql/retention/clip_dirty.sql", first, last).execute(&mut *connection).await?;
    // Candidates built earlier were compared with what is now gone.
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1").execute(connection).await?;
    Ok(UnpublishedDays { days: counted(found.days)?, rows: counted(found.rows)? })
}

async fn discard(
    connection: &mut PgConnection,
    ended_before: DateTime<Utc>,
    dry_run: bool,
) -> Result<Option<AbandonedCandidates>> {
    connection.execute(PATIENCE_WITH_WRITERS).await?;
    Lock::Candidates.take(connection).await?;
    let abandoned = sqlx::query_file_scalar!("sql/retention/abandoned_run.sql", ended_before)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(run_id) = abandoned else {
        if !dry_run {
            // A crash of the database empties the list of builds, but spares the months.
            connection
                .execute("SELECT drop_candidate_months() WHERE NOT EXISTS (SELECT 1 FROM fact_build)")
                .await?;
        }
        return Ok(None);
    };
    let rows = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "rows!" FROM fact_candidates"#)
        .fetch_one(&mut *connection)
        .await?;
    if !dry_run {
        sqlx::query!("DELETE FROM fact_build").execute(&mut *connection).await?;
        candidate_months::discard(connection).await?;
    }
    Ok(Some(AbandonedCandidates { run_id, rows: counted(rows)? }))
}

/// What a caller learns when a wait was given up.
fn reported_if_busy(error: Error) -> Error {
    let busy = {
        let Error::Unavailable(fault) = &error else { return error };
        let code = fault.cause().and_then(|cause| cause.downcast_ref::<sqlx::Error>()).and_then(sqlstate);
        // lock_not_available, deadlock_detected
        matches!(code.as_deref(), Some("55P03" | "40P01"))
    };
    if !busy {
        return error;
    }
    Error::Unavailable(Fault::plain(
        "busy: a load, a publish or a reader holds what would be removed; nothing was changed, try again later",
    ))
}
