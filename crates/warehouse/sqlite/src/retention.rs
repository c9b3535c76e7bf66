//! Removes old data.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, DateWindow};
use serde_json::json;
use sqlx::SqliteConnection;
use warehouse_core::{
    AbandonedCandidates, Error, Fence, ForgottenDays, ForgottenHistory, HistoryStart, Obstacles, Retention,
    UnpublishedDays,
    engine::{corrupt, counted},
};

use crate::{
    database::SqliteWarehouse, fault::Result, fence, history::Publish, reconciliation_log,
    run_rows::parse_id, runs,
};

#[async_trait]
impl Retention for SqliteWarehouse {
    async fn forget_days_before(&self, start: HistoryStart, dry_run: bool) -> Result<ForgottenDays, Error> {
        let forgotten = self.scan(async |connection| look(connection, start).await).await?;
        if dry_run || forgotten == ForgottenDays::default() {
            return Ok(forgotten);
        }
        self.write(async |connection| {
            let forgotten = look(connection, start).await?;
            forget(connection, start).await?;
            Ok(forgotten)
        })
        .await
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
            let (forgotten, kept_since) = look_at_history(connection, kept_since).await?;
            if forgotten != ForgottenHistory::default() {
                forget_history(connection, kept_since).await?;
            }
            Ok(forgotten)
        })
        .await
    }

    async fn discard_abandoned_candidates(
        &self,
        ended_before: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Option<AbandonedCandidates>, Error> {
        self.write(async |connection| discard(connection, ended_before, dry_run).await).await
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
            let paths = json!(paths).to_string();
            let found = sqlx::query_file_scalar!("sql/retention/landed_files_in_use.sql", paths);
            Ok(found.fetch_all(connection).await?.into_iter().collect())
        })
        .await
    }
}

/// What would be removed, unless something is in the way.
async fn look(connection: &mut SqliteConnection, start: HistoryStart) -> Result<ForgottenDays> {
    let counts = sqlx::query_file!("sql/retention/forgotten.sql", start.fact(), start.usage());
    let counts = counts.fetch_one(&mut *connection).await?;
    let forgotten = ForgottenDays {
        days: counted(counts.days)?,
        rows: counted(counts.rows)?,
        usage_days: counted(counts.usage_days)?,
        usage_records: counted(counts.usage_records)?,
        events: counted(counts.events)?,
        partitions: 0,
    };
    if forgotten != ForgottenDays::default() {
        obstacles(connection, start).await?.check(start)?;
    }
    Ok(forgotten)
}

async fn obstacles(connection: &mut SqliteConnection, start: HistoryStart) -> Result<Obstacles> {
    let found = sqlx::query_file!("sql/retention/obstacles.sql", start.fact()).fetch_one(connection).await?;
    let active_run = match (found.active_run, found.active_from, found.active_to) {
        (Some(active), Some(from), Some(to)) => {
            Some((parse_id(&active)?, DateWindow::new(from, to).map_err(corrupt)?))
        }
        _ => None,
    };
    let built_by = found.built_by.as_deref().map(parse_id).transpose()?;
    Ok(Obstacles { active_run, built_by, leaves_gap: found.leaves_gap })
}

/// Forgets within the caller's transaction.
async fn forget(connection: &mut SqliteConnection, start: HistoryStart) -> Result<()> {
    let (fact, usage) = (start.fact(), start.usage());
    for (first_kept, statements) in [
        (
            fact,
            &[
                "DELETE FROM fact_company_activity WHERE activity_date < $1",
                "DELETE FROM published_days WHERE activity_date < $1",
                "DELETE FROM day_publications WHERE activity_date < $1",
                "DELETE FROM fact_history WHERE activity_date < $1",
                "DELETE FROM fact_events WHERE date < $1",
                "DELETE FROM agg_company_daily_events WHERE date < $1",
                "DELETE FROM dirty_company_days WHERE last_day < $1",
                "UPDATE dirty_company_days SET first_day = $1 WHERE first_day < $1",
            ][..],
        ),
        (usage, &["DELETE FROM stg_product_usage WHERE date < $1", "DELETE FROM usage_days WHERE date < $1"]),
    ] {
        for statement in statements {
            sqlx::query(*statement).bind(first_kept).execute(&mut *connection).await?;
        }
    }
    sqlx::query_file!("../sql/retention/keep_build.sql").execute(&mut *connection).await?;
    // History goes with its days, so everything else is still on record.
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1, logged_publish = logged_publish + 1")
        .execute(connection)
        .await?;
    Ok(())
}

/// What of history would be removed, and until when.
async fn look_at_history(
    connection: &mut SqliteConnection,
    kept_since: DateTime<Utc>,
) -> Result<(ForgottenHistory, DateTime<Utc>)> {
    let newest =
        sqlx::query_scalar!(r#"SELECT newest_publish AS "newest: DateTime<Utc>" FROM warehouse_versions"#)
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

/// Forgets history within the caller's transaction.
async fn forget_history(connection: &mut SqliteConnection, kept_since: DateTime<Utc>) -> Result<()> {
    sqlx::query!("DELETE FROM fact_history WHERE replaced_at <= $1", kept_since)
        .execute(&mut *connection)
        .await?;
    sqlx::query_file!("sql/retention/forget_log.sql", kept_since).execute(&mut *connection).await?;
    sqlx::query!(
        "UPDATE warehouse_versions SET history_since = MAX(COALESCE(history_since, ''), $1)",
        kept_since
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back the published days of a window as the work of a stage.
pub(crate) async fn unpublish_days(
    connection: &mut SqliteConnection,
    fence: &Fence,
    window: DateWindow,
    now: DateTime<Utc>,
) -> Result<UnpublishedDays> {
    fence::check(connection, fence).await?;
    let publish = Publish::at(connection, fence.run_id.hyphenated(), now).await?;
    let unpublished = unpublish(connection, publish, window).await?;
    let counters = Counters { rows_removed: unpublished.rows, ..Counters::default() };
    runs::complete_stage(connection, fence, counters, &[], now).await?;
    Ok(unpublished)
}

/// Takes published days back within the caller's transaction.
async fn unpublish(
    connection: &mut SqliteConnection,
    publish: Publish,
    window: DateWindow,
) -> Result<UnpublishedDays> {
    let (first, last) = (window.start(), window.end());
    let found = sqlx::query_file!("../sql/retention/published_in.sql", first, last)
        .fetch_one(&mut *connection)
        .await?;
    publish.keep_days(connection, first, last).await?;
    for statement in [
        "DELETE FROM fact_company_activity WHERE activity_date BETWEEN $1 AND $2",
        "DELETE FROM published_days WHERE activity_date BETWEEN $1 AND $2",
        "DELETE FROM dirty_company_days WHERE first_day >= $1 AND last_day <= $2",
    ] {
        sqlx::query(statement).bind(first).bind(last).execute(&mut *connection).await?;
    }
    sqlx::query_file!("sql/retention/clip_dirty.sql", first, last).execute(&mut *connection).await?;
    publish.note(connection).await?;
    // Candidates built earlier were compared with what is now gone.
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1").execute(connection).await?;
    Ok(UnpublishedDays { days: counted(found.days)?, rows: counted(found.rows)? })
}

async fn discard(
    connection: &mut SqliteConnection,
    ended_before: DateTime<Utc>,
    dry_run: bool,
) -> Result<Option<AbandonedCandidates>> {
    let abandoned = sqlx::query_file_scalar!("sql/retention/abandoned_run.sql", ended_before)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(run_id) = abandoned else { return Ok(None) };
    let rows = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "rows!: i64" FROM fact_candidates"#)
        .fetch_one(&mut *connection)
        .await?;
    if !dry_run {
        for statement in
            ["DELETE FROM fact_build", "DELETE FROM fact_build_days", "DELETE FROM fact_candidates"]
        {
            sqlx::query(statement).execute(&mut *connection).await?;
        }
    }
    Ok(Some(AbandonedCandidates { run_id: parse_id(&run_id)?, rows: counted(rows)? }))
}
