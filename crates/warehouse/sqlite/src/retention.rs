//! Letting go of what is old.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, DateWindow};
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    AbandonedCandidates, Fence, ForgottenDays, HistoryStart, Obstacles, Result, Retention, UnpublishedDays,
};

use crate::{
    SqliteWarehouse,
    database::{counted, failed},
    fence,
    rows::corrupt,
    runs,
};

#[async_trait]
impl Retention for SqliteWarehouse {
    async fn unpublish_days(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> Result<UnpublishedDays> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        let unpublished = unpublish(&mut transaction, window).await?;
        let counters = Counters { rows_removed: unpublished.rows, ..Counters::default() };
        runs::complete_stage(&mut transaction, fence, counters, &[], now).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(unpublished)
    }

    async fn forget_days_before(&self, start: HistoryStart, dry_run: bool) -> Result<ForgottenDays> {
        let mut transaction = self.begin_read().await?;
        let forgotten = look(&mut transaction, start).await?;
        if forgotten == ForgottenDays::default() {
            return Ok(forgotten);
        }
        obstacles(&mut transaction, start).await?.check(start)?;
        drop(transaction);
        if dry_run {
            return Ok(forgotten);
        }
        let mut transaction = self.begin_write().await?;
        let forgotten = look(&mut transaction, start).await?;
        obstacles(&mut transaction, start).await?.check(start)?;
        forget(&mut transaction, start).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(forgotten)
    }

    async fn discard_abandoned_candidates(
        &self,
        ended_before: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Option<AbandonedCandidates>> {
        let mut transaction = self.begin_write().await?;
        let discarded = discard(&mut transaction, ended_before, dry_run).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(discarded)
    }

    async fn landed_files_in_use(&self, paths: &[String]) -> Result<BTreeSet<String>> {
        let paths = json!(paths).to_string();
        let found = sqlx::query_file_scalar!("sql/retention/landed_files_in_use.sql", paths)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        Ok(found.into_iter().collect())
    }
}

/// What would go.
async fn look(connection: &mut SqliteConnection, start: HistoryStart) -> Result<ForgottenDays> {
    let (fact, usage) = (start.fact(), start.usage());
    let counts = sqlx::query_file!("sql/retention/forgotten.sql", fact, usage)
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(ForgottenDays {
        days: counted(counts.days),
        rows: counted(counts.rows),
        usage_days: counted(counts.usage_days),
        usage_records: counted(counts.usage_records),
        events: counted(counts.events),
        partitions: 0,
    })
}

async fn obstacles(connection: &mut SqliteConnection, start: HistoryStart) -> Result<Obstacles> {
    let fact = start.fact();
    let found =
        sqlx::query_file!("sql/retention/obstacles.sql", fact).fetch_one(connection).await.map_err(failed)?;
    let run_id = |text: &str| Uuid::parse_str(text).map_err(corrupt);
    let active_run = match (found.active_run, found.active_from, found.active_to) {
        (Some(active), Some(from), Some(to)) => {
            Some((run_id(&active)?, DateWindow::new(from, to).map_err(corrupt)?))
        }
        _ => None,
    };
    let built_by = found.built_by.as_deref().map(run_id).transpose()?;
    Ok(Obstacles { active_run, built_by, leaves_gap: found.leaves_gap })
}

/// Forgets within the caller's transaction.
async fn forget(connection: &mut SqliteConnection, start: HistoryStart) -> Result<()> {
    let (fact, usage) = (start.fact(), start.usage());
    for (first_kept, statements) in [
        (
            fact,
            &[
                "DELETE FROM fact_company_activity WHERE activity_date < ?1",
                "DELETE FROM published_days WHERE activity_date < ?1",
                "DELETE FROM fact_events WHERE date < ?1",
                "DELETE FROM agg_company_daily_events WHERE date < ?1",
                "DELETE FROM dirty_company_days WHERE last_day < ?1",
                "UPDATE dirty_company_days SET first_day = ?1 WHERE first_day < ?1",
            ][..],
        ),
        (usage, &["DELETE FROM stg_product_usage WHERE date < ?1", "DELETE FROM usage_days WHERE date < ?1"]),
    ] {
        for statement in statements {
            sqlx::query(*statement).bind(first_kept).execute(&mut *connection).await.map_err(failed)?;
        }
    }
    sqlx::query_file!("sql/retention/keep_build.sql").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Takes published days back within the caller's transaction.
async fn unpublish(connection: &mut SqliteConnection, window: DateWindow) -> Result<UnpublishedDays> {
    let (first, last) = (window.start(), window.end());
    let found = sqlx::query_file!("sql/retention/published_in.sql", first, last)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    for statement in [
        "DELETE FROM fact_company_activity WHERE activity_date BETWEEN ?1 AND ?2",
        "DELETE FROM published_days WHERE activity_date BETWEEN ?1 AND ?2",
        "DELETE FROM dirty_company_days WHERE first_day >= ?1 AND last_day <= ?2",
    ] {
        sqlx::query(statement).bind(first).bind(last).execute(&mut *connection).await.map_err(failed)?;
    }
    sqlx::query_file!("sql/retention/clip_dirty.sql", first, last)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    // Candidates that were built before compare with what is no longer there.
    sqlx::query!("UPDATE warehouse_versions SET publish = publish + 1")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(UnpublishedDays { days: counted(found.days), rows: counted(found.rows) })
}

async fn discard(
    connection: &mut SqliteConnection,
    ended_before: DateTime<Utc>,
    dry_run: bool,
) -> Result<Option<AbandonedCandidates>> {
    let abandoned = sqlx::query_file_scalar!("sql/retention/abandoned_run.sql", ended_before)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    let Some(run_id) = abandoned else { return Ok(None) };
    let rows = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "rows!: i64" FROM fact_candidates"#)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !dry_run {
        for statement in
            ["DELETE FROM fact_build", "DELETE FROM fact_build_days", "DELETE FROM fact_candidates"]
        {
            sqlx::query(statement).execute(&mut *connection).await.map_err(failed)?;
        }
    }
    let run_id = Uuid::parse_str(&run_id).map_err(corrupt)?;
    Ok(Some(AbandonedCandidates { run_id, rows: counted(rows) }))
}
