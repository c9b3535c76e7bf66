//! Which run a trigger leads to: one that is there already, or a new one.

use chrono::NaiveDate;
use domain::DateWindow;
use sqlx::SqliteConnection;
use warehouse_core::{NewRun, Result, Run, WindowChoice};

use crate::{database::failed, rows::corrupt, run_rows::find_by};

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
        WindowChoice::Unpublished { through } => {
            if let Some(run) = active_run_through(connection, &new.pipeline, through).await? {
                return Ok(Choice::Found(run));
            }
            match first_unpublished(connection).await? {
                Some(day) if day <= through => DateWindow::new(day, through).map_err(corrupt)?,
                Some(_) => {
                    if let (false, Some(run)) = (new.force, publisher_of(connection, through).await?) {
                        return Ok(Choice::Found(run));
                    }
                    DateWindow::day(through)
                }
                None => DateWindow::day(through),
            }
        }
    };
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
         WHERE pipeline = ?1 AND window_end = ?2 AND state IN ('QUEUED', 'RUNNING') ORDER BY run_id LIMIT 1",
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
    let active = active_run_over(connection, &new.pipeline, window).await?;
    if active.is_some() || new.force {
        return Ok(active);
    }
    let (start, end) = (window.start(), window.end());
    let id = sqlx::query_file_scalar!("sql/runs/succeeded_over.sql", new.pipeline, start, end)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

/// The run over exactly `window` that is queued or running.
pub(crate) async fn active_run_over(
    connection: &mut SqliteConnection,
    pipeline: &str,
    window: DateWindow,
) -> Result<Option<Run>> {
    let (start, end) = (window.start(), window.end());
    let id = sqlx::query_scalar!(
        "SELECT run_id FROM pipeline_runs
         WHERE pipeline = ?1 AND window_start = ?2 AND window_end = ?3 AND state IN ('QUEUED', 'RUNNING')
         ORDER BY run_id DESC LIMIT 1",
        pipeline,
        start,
        end
    )
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

async fn first_unpublished(connection: &mut SqliteConnection) -> Result<Option<NaiveDate>> {
    let row =
        sqlx::query_file!("sql/runs/first_unpublished.sql").fetch_one(connection).await.map_err(failed)?;
    Ok(row.day)
}
