//! Which run a trigger leads to: an existing or a new one.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{DateWindow, RunTrigger};

use crate::{
    error::Error,
    horizon::{Horizon, PublishedFacts, unpublished_window},
    runs::{NewRun, Run, WindowChoice},
};

/// The result of a trigger.
#[derive(Debug, PartialEq)]
pub enum RunChoice {
    /// An existing run that makes a new one unnecessary.
    Found(Box<Run>),
    /// A new run over these days.
    Create(DateWindow),
}

/// The choice's queries, all within one transaction.
#[async_trait]
pub trait RunLookup: Send {
    /// The error of a query.
    type Error: From<Error>;

    /// The oldest active run of the pipeline that publishes days and ends on `through`.
    async fn active_through(
        &mut self,
        pipeline: &str,
        through: NaiveDate,
    ) -> Result<Option<Run>, Self::Error>;

    /// The queued or running run over exactly `window` that, like `trigger`, either
    /// takes days back or publishes them.
    async fn active_over(
        &mut self,
        pipeline: &str,
        window: DateWindow,
        trigger: RunTrigger,
    ) -> Result<Option<Run>, Self::Error>;

    /// The newest run over exactly `window` whose published days are still published.
    async fn succeeded_over(
        &mut self,
        pipeline: &str,
        window: DateWindow,
    ) -> Result<Option<Run>, Self::Error>;

    /// The run that published the day, if any.
    async fn publisher_of(&mut self, day: NaiveDate) -> Result<Option<Run>, Self::Error>;

    /// The facts about published days up to `through`.
    async fn published_facts(
        &mut self,
        pipeline: &str,
        through: NaiveDate,
    ) -> Result<PublishedFacts, Self::Error>;

    /// The first unpublished day after the oldest published one from `from` on; `None`
    /// if none is published from there on.
    async fn first_unpublished(&mut self, from: NaiveDate) -> Result<Option<NaiveDate>, Self::Error>;
}

/// Decides between an existing run and a new one, and over which days.
///
/// # Errors
/// If `new` accepts or rebuilds days outside the run, or days that an active run does not;
/// and if a query fails.
pub async fn choose_run<L: RunLookup>(lookup: &mut L, new: &NewRun) -> Result<RunChoice, L::Error> {
    let window = match new.window {
        WindowChoice::Days(window) => window,
        WindowChoice::Unpublished { through, horizon } => {
            // The schedule waits behind a rebuild, which asks no source.
            let active = lookup.active_through(&new.pipeline, through).await?;
            if let Some(run) = active.filter(|run| !run.is_from_staging()) {
                new.check_days(run.window)?;
                new.check_active(&run)?;
                return Ok(RunChoice::Found(run.into()));
            }
            match first_unpublished(lookup, &new.pipeline, through, horizon).await? {
                Some(day) if day <= through => unpublished_window(day, through)?,
                Some(_) if new.is_content_with_success() => match lookup.publisher_of(through).await? {
                    Some(run) => return Ok(RunChoice::Found(run.into())),
                    None => DateWindow::day(through),
                },
                _ => DateWindow::day(through),
            }
        }
    };
    new.check_days(window)?;
    let found = run_over(lookup, new, window).await?;
    Ok(found.map_or(RunChoice::Create(window), |run| RunChoice::Found(run.into())))
}

/// The first day of the run that the schedule asks for up to `through`; `through` itself if no
/// day before it waits.
///
/// # Errors
/// If a query fails.
pub async fn scheduled_from<L: RunLookup>(
    lookup: &mut L,
    pipeline: &str,
    through: NaiveDate,
    horizon: Horizon,
) -> Result<NaiveDate, L::Error> {
    match first_unpublished(lookup, pipeline, through, horizon).await? {
        Some(day) => Ok(unpublished_window(day, through)?.start()),
        None => Ok(through),
    }
}

async fn first_unpublished<L: RunLookup>(
    lookup: &mut L,
    pipeline: &str,
    through: NaiveDate,
    horizon: Horizon,
) -> Result<Option<NaiveDate>, L::Error> {
    let facts = lookup.published_facts(pipeline, through).await?;
    match horizon.heals_from(through, facts) {
        Some(from) => lookup.first_unpublished(from).await,
        None => Ok(None),
    }
}

/// The run over exactly `window` that makes `new` unnecessary: the active one, else the
/// newest that succeeded. Newer failed ones hide neither.
async fn run_over<L: RunLookup>(
    lookup: &mut L,
    new: &NewRun,
    window: DateWindow,
) -> Result<Option<Run>, L::Error> {
    let is_scheduled = matches!(new.window, WindowChoice::Unpublished { .. });
    let active = lookup.active_over(&new.pipeline, window, new.trigger).await?;
    let active = active.filter(|active| !(is_scheduled && active.is_from_staging()));
    if let Some(active) = &active {
        new.check_active(active)?;
    }
    // Days taken back are taken back again only after they were published again.
    if active.is_some() || !new.is_content_with_success() || new.trigger == RunTrigger::Unpublish {
        return Ok(active);
    }
    lookup.succeeded_over(&new.pipeline, window).await
}

#[cfg(test)]
mod tests;
