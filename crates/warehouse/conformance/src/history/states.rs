//! The states that publishes leave, read again as they were, whatever was published later.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, FactRow, Publication};
use futures::TryStreamExt;
use proptest::prelude::*;
use uuid::Uuid;
use warehouse_core::{ActivityQuery, Error, ForgottenHistory, PublishedState};

use crate::{
    engine::EngineUnderTest,
    history::extent::COMPANIES,
    scene::{days, id},
};

/// More rows than any history has.
const ALL: u32 = 10_000;

/// All days of any history.
fn ever() -> DateWindow {
    days(-120, 120)
}

/// What a run left.
#[derive(Debug, Clone)]
struct State {
    run_id: Uuid,
    rows: Vec<FactRow>,
    publications: Vec<Publication>,
}

/// What each run of a history left, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct States(Vec<State>);

type Answer = (Vec<FactRow>, PublishedState);

async fn read(warehouse: &EngineUnderTest, query: &ActivityQuery) -> Result<Answer, Error> {
    let export = warehouse.export_facts(query).await?;
    let state = export.state.clone();
    Ok((export.rows().try_collect().await?, state))
}

/// Reads in pages of seven rows.
async fn read_in_pages(warehouse: &EngineUnderTest, query: &ActivityQuery) -> Result<Answer, Error> {
    let (mut query, mut rows) = (query.clone(), Vec::new());
    loop {
        let page = warehouse.fact_rows(&query, 7).await?;
        let Some(last) = page.rows.last() else { return Ok((rows, page.state)) };
        query.after = Some(last.key.clone());
        rows.extend(page.rows);
    }
}

fn query(window: DateWindow, as_of: Option<Uuid>) -> ActivityQuery {
    ActivityQuery { company_id: None, window, after: None, as_of }
}

/// The run that answers name as the one that left the state.
fn left_by(state: &PublishedState) -> Option<Uuid> {
    state.left_by.as_deref().map(|run_id| Uuid::parse_str(run_id).unwrap())
}

impl State {
    fn answer(&self, asked: &ActivityQuery) -> (Vec<FactRow>, Vec<Publication>) {
        let is_asked = |row: &&FactRow| {
            asked.window.contains(row.key.activity_date)
                && asked.company_id.as_ref().is_none_or(|company| *company == row.key.company_id)
        };
        let is_of_days = |entry: &&Publication| asked.window.contains(entry.activity_date);
        (
            self.rows.iter().filter(is_asked).cloned().collect(),
            self.publications.iter().filter(is_of_days).cloned().collect(),
        )
    }
}

impl States {
    /// Remembers what `run_id` has left.
    pub(super) async fn remember(&mut self, warehouse: &EngineUnderTest, run_id: Uuid) {
        let (rows, PublishedState { publications, .. }) =
            read(warehouse, &query(ever(), None)).await.unwrap();
        self.0.push(State { run_id, rows, publications });
    }

    /// The days before `first_kept` have been forgotten, in all states.
    pub(super) fn forget_before(&mut self, first_kept: NaiveDate) {
        for state in &mut self.0 {
            state.rows.retain(|row| row.key.activity_date >= first_kept);
            state.publications.retain(|entry| entry.activity_date >= first_kept);
        }
    }

    /// Reads every state again: all of it, and each by another day and company.
    pub(super) async fn compare(&self, warehouse: &EngineUnderTest) -> Result<(), TestCaseError> {
        self.compare_since(warehouse, None).await
    }

    /// Forgets the history until a publish in the middle, and reads every state again.
    pub(super) async fn compare_with_less_history(
        &self,
        warehouse: &EngineUnderTest,
    ) -> Result<(), TestCaseError> {
        let times = publishes(warehouse).await;
        let mut times: Vec<_> = times.into_values().collect();
        times.sort_unstable();
        let Some(middle) = times.get(times.len() / 2) else { return Ok(()) };
        let kept_since = *middle;
        let looked = warehouse.forget_history_before(kept_since, true).await.unwrap();
        prop_assert_eq!(warehouse.forget_history_before(kept_since, false).await.unwrap(), looked);
        let nothing = ForgottenHistory::default();
        prop_assert_eq!(warehouse.forget_history_before(kept_since, false).await.unwrap(), nothing);
        self.compare_since(warehouse, Some(kept_since)).await
    }

    async fn compare_since(
        &self,
        warehouse: &EngineUnderTest,
        kept_since: Option<DateTime<Utc>>,
    ) -> Result<(), TestCaseError> {
        let times = publishes(warehouse).await;
        for (state, number) in self.0.iter().zip(0..) {
            let as_of = Some(state.run_id);
            let time = times.get(&state.run_id);
            let is_kept = time.is_some_and(|time| kept_since.is_none_or(|since| *time >= since));
            let day = DateWindow::day(days(number * 5, 99).start());
            let company = COMPANIES.into_iter().cycle().nth(usize::try_from(number).unwrap()).map(id);
            for asked in [
                query(ever(), as_of),
                query(day, as_of),
                ActivityQuery { company_id: company.clone(), ..query(ever(), as_of) },
            ] {
                // Pages of all rows would be many.
                let paged = match asked.company_id {
                    Some(_) => read_in_pages(warehouse, &asked).await,
                    None => warehouse.fact_rows(&asked, ALL).await.map(|page| (page.rows, page.state)),
                };
                for found in [read(warehouse, &asked).await, paged] {
                    match found {
                        Ok((rows, found)) => {
                            prop_assert!(time.is_some(), "a run without a publish was answered");
                            prop_assert_eq!((rows, found.publications), state.answer(&asked), "{:?}", asked);
                        }
                        Err(Error::NotFound(_)) => prop_assert!(time.is_none()),
                        Err(Error::Precondition(_)) => prop_assert!(!is_kept),
                        Err(error) => prop_assert!(false, "{}", error),
                    }
                }
            }
        }
        // What is published now can be read again by the run that answers name.
        for window in [ever(), days(3, 3), days(10, 17)] {
            let now = read(warehouse, &query(window, None)).await.unwrap();
            if let Some(run_id) = left_by(&now.1) {
                prop_assert_eq!(read(warehouse, &query(window, Some(run_id))).await.unwrap(), now);
            }
        }
        Ok(())
    }
}

/// When each run published that has a publish on record.
async fn publishes(warehouse: &EngineUnderTest) -> BTreeMap<Uuid, DateTime<Utc>> {
    let log = warehouse.staging.logged_publications(ever()).await.unwrap();
    log.into_iter().map(|entry| (Uuid::parse_str(&entry.run_id).unwrap(), entry.published_at)).collect()
}
