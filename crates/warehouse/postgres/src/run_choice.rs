//! Which run a trigger leads to: one that is there already, or a new one.

use chrono::NaiveDate;
use domain::DateWindow;
use sqlx::PgConnection;
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
pub(crate) async fn choose_window(connection: &mut PgConnection, new: &NewRun) -> Result<Choice> {
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
    connection: &mut PgConnection,
    pipeline: &str,
    through: NaiveDate,
) -> Result<Option<Run>> {
    let id = sqlx::query_file_scalar!("sql/runs/active_through.sql", pipeline, through)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

/// The run over exactly `window` that makes `new` needless: the active one, else
/// the newest that succeeded. Newer ones that failed hide neither.
async fn run_over(connection: &mut PgConnection, new: &NewRun, window: DateWindow) -> Result<Option<Run>> {
    let active = active_run_over(connection, &new.pipeline, window).await?;
    if active.is_some() || new.force {
        return Ok(active);
    }
    let id =
        sqlx::query_file_scalar!("sql/runs/succeeded_over.sql", new.pipeline, window.start(), window.end())
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
    find_by(connection, id).await
}

/// The run over exactly `window` that is queued or running.
pub(crate) async fn active_run_over(
    connection: &mut PgConnection,
    pipeline: &str,
    window: DateWindow,
) -> Result<Option<Run>> {
    let id = sqlx::query_file_scalar!("sql/runs/active_over.sql", pipeline, window.start(), window.end())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

async fn publisher_of(connection: &mut PgConnection, day: NaiveDate) -> Result<Option<Run>> {
    let id = sqlx::query_scalar!("SELECT run_id FROM published_days WHERE activity_date = $1", day)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    find_by(connection, id).await
}

async fn first_unpublished(connection: &mut PgConnection) -> Result<Option<NaiveDate>> {
    sqlx::query_file_scalar!("sql/runs/first_unpublished.sql").fetch_one(connection).await.map_err(failed)
}
