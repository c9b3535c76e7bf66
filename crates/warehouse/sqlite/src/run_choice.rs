//! Which run a trigger leads to: one that is there already, or a new one.

use chrono::NaiveDate;
use domain::{DateWindow, RunTrigger};
use sqlx::SqliteConnection;
use warehouse_core::{Horizon, NewRun, PublishedFacts, Result, Run, WindowChoice, unpublished_window};

use crate::{database::failed, run_rows::find_by};

/// What a trigger leads to.
pub(crate) enum Choice {
    /// This run makes a new one needless.
    Found(Run),
    /// A new run over these days.
    Create(DateWindow),
}

/// Decides between an existing run and a new one, and over which days.
pub(crate) async fn choose_window(connection: &mut SqliteConnection, new: &NewRun) -> Result<Choice> {
    let window = match new.window {
        WindowChoice::Days(window) => window,
        WindowChoice::Unpublished { through, horizon } => {
            if let Some(run) = active_run_through(connection, &new.pipeline, through).await? {
                new.check_accepted(run.window)?;
                new.check_active(&run)?;
                return Ok(Choice::Found(run));
            }
            match first_unpublished(connection, &new.pipeline, through, horizon).await? {
                Some(day) if day <= through => unpublished_window(day, through)?,
                Some(_) => {
                    if let (true, Some(run)) =
                        (new.is_content_with_success(), publisher_of(connection, through).await?)
                    {
                        return Ok(Choice::Found(run));
                    }
                    DateWindow::day(through)
                }
                None => DateWindow::day(through),
            }
        }
    };
    new.check_accepted(window)?;
    let found = run_over(connection, new, window).await?;
    Ok(found.map_or(Choice::Create(window), Choice::Found))
}

async fn active_run_through(
    connection: &mut SqliteConnection,
    pipeline: &str,
    through: NaiveDate,
) -> Result<Option<Run>> {
    let id = sqlx::query_scalar!(
        "SELECT run_id FROM pipeline_runs
         WHERE pipeline = ?1 AND window_end = ?2 AND state IN ('QUEUED', 'RUNNING')
           AND run_trigger <> 'UNPUBLISH' ORDER BY run_id LIMIT 1",
        pipeline,
        through
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    find_by(connection, id).await
}

/// The run over exactly `window` that makes `new` needless: the active one, else
/// the newest that succeeded. Newer ones that failed hide neither.
async fn run_over(
    connection: &mut SqliteConnection,
    new: &NewRun,
    window: DateWindow,
) -> Result<Option<Run>> {
    let active = active_run_over(connection, &new.pipeline, window, new.trigger).await?;
    if let Some(active) = &active {
        new.check_active(active)?;
    }
    // Days that were taken back are taken back again only if they are published again.
    if active.is_some() || !new.is_content_with_success() || new.trigger == RunTrigger::Unpublish {
        return Ok(active);
    }
    let (start, end) = (window.start(), window.end());
    let id = sqlx::query_file_scalar!("sql/runs/succeeded_over.sql", new.pipeline, start, end)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

/// The run over exactly `window` that is queued or running, and takes days back or
/// publishes them as `trigger` does.
pub(crate) async fn active_run_over(
    connection: &mut SqliteConnection,
    pipeline: &str,
    window: DateWindow,
    trigger: RunTrigger,
) -> Result<Option<Run>> {
    let (start, end) = (window.start(), window.end());
    let takes_back = trigger == RunTrigger::Unpublish;
    let id = sqlx::query_file_scalar!("sql/runs/active_over.sql", pipeline, start, end, takes_back)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

async fn publisher_of(connection: &mut SqliteConnection, day: NaiveDate) -> Result<Option<Run>> {
    let id = sqlx::query_scalar!("SELECT run_id FROM published_days WHERE activity_date = ?1", day)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

async fn first_unpublished(
    connection: &mut SqliteConnection,
    pipeline: &str,
    through: NaiveDate,
    horizon: Horizon,
) -> Result<Option<NaiveDate>> {
    let found = sqlx::query_file!("sql/runs/published_facts.sql", pipeline, through)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let facts = PublishedFacts { newest: found.newest, oldest_backfilled: found.oldest_backfilled };
    let Some(from) = horizon.heals_from(through, facts) else { return Ok(None) };
    let row = sqlx::query_file!("sql/runs/first_unpublished.sql", from)
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(row.day)
}
