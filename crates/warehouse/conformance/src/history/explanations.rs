//! Explanations against the definition: after any history, the parts of each company-day add
//! up to its numbers, and its changes are those that the publishes made, for the reasons that
//! the inputs had.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    CompanyId, DateWindow, Explanation, FactKey, RunTrigger,
    explanation::{Agreement, Cell, Change, ChangeKind, ReasonKind, Standing},
    provenance::window_of,
    run::STAGE_UNPUBLISH,
};
use proptest::prelude::*;
use warehouse_core::{NewRun, NewStage, WindowChoice};

use super::{
    Step, World, check,
    extent::{COMPANIES, SPAN},
    side_by_side, steps,
};
use crate::{
    engine::EngineUnderTest,
    reference::{ExpectedRow, Inputs},
    scene::{at, days, hold_new_run, id, new_run},
};

/// A step, and the days that are taken back after it.
#[derive(Debug, Clone)]
struct Episode {
    step: Step,
    taken_back: Option<DateWindow>,
}

fn episodes() -> impl Strategy<Value = Episode> {
    let taken_back = prop_oneof![4 => Just(None), 1 => (0..SPAN, 0..8_i64).prop_map(|(from, length)| Some(days(from, from + length)))];
    (steps(), taken_back).prop_map(|(step, taken_back)| Episode { step, taken_back })
}

/// What a publish left behind, or a run that took days back.
#[derive(Debug, Clone)]
struct State {
    time: DateTime<Utc>,
    run_id: String,
    /// What the published rows were computed from.
    inputs: Inputs,
    published: BTreeSet<NaiveDate>,
}

impl State {
    fn row(&self, key: &FactKey) -> Option<ExpectedRow> {
        let is_published = self.published.contains(&key.activity_date);
        if is_published { self.inputs.row(&key.company_id, key.activity_date) } else { None }
    }

    fn numbers(&self, company_id: &CompanyId, day: NaiveDate) -> (i32, i64) {
        self.inputs.usage.get(&(company_id.clone(), day)).copied().unwrap_or_default()
    }
}

/// Checks the explanation of every company-day after at least `cases` random histories, each
/// on a fresh warehouse.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        check(cases, prop::collection::vec(episodes(), 1..7), async |history| {
            let (_guard, warehouse) = open().await;
            let (world, states) = play(&warehouse, &history).await?;
            for company_id in COMPANIES.map(id) {
                for activity_date in days(-2, SPAN + 9).days() {
                    let key = FactKey { company_id: company_id.clone(), activity_date };
                    let explanation = Explanation::of(&warehouse.provenance(&key).await.unwrap());
                    explains_the_present(&explanation, &world, states.last())?;
                    explains_the_past(&explanation, &states)?;
                }
            }
            Ok(())
        });
    });
}

async fn play(
    warehouse: &EngineUnderTest,
    history: &[Episode],
) -> Result<(World, Vec<State>), TestCaseError> {
    let (mut world, mut states) = (World::default(), Vec::<State>::new());
    for (number, Episode { step, taken_back }) in (1_i64..).zip(history) {
        if let Some(run) = world.play(warehouse, step, number).await? {
            states.push(State {
                time: run.now,
                run_id: run.run.run_id.to_string(),
                inputs: world.inputs.clone(),
                published: world.published.clone(),
            });
        }
        let Some(window) =
            taken_back.filter(|window| window.days().any(|day| world.published.contains(&day)))
        else {
            continue;
        };
        let time = at(number) + TimeDelta::minutes(30);
        let run_id = take_back(warehouse, window, time).await;
        world.published.retain(|day| !window.contains(*day));
        let published = world.published.clone();
        let inputs = states.last().map(|state| state.inputs.clone()).unwrap_or_default();
        states.push(State { time, run_id, inputs, published });
    }
    Ok((world, states))
}

async fn take_back(warehouse: &EngineUnderTest, window: DateWindow, now: DateTime<Utc>) -> String {
    let stage =
        NewStage { stage: STAGE_UNPUBLISH.to_owned(), service: "transform".to_owned(), depends_on: vec![] };
    let new =
        NewRun { trigger: RunTrigger::Unpublish, stages: vec![stage], ..new_run(WindowChoice::Days(window)) };
    let run = hold_new_run(warehouse, new, now).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    warehouse.unpublish_days(&fence, window, now).await.unwrap();
    run.finish().await.unwrap();
    run.run.run_id.to_string()
}

fn explains_the_present(
    explanation: &Explanation,
    world: &World,
    newest: Option<&State>,
) -> Result<(), TestCaseError> {
    let key = &explanation.key;
    let published = newest.and_then(|state| state.row(key));
    let staged = world.inputs.row(&key.company_id, key.activity_date);
    prop_assert_eq!(explanation.published.as_ref().map(ExpectedRow::from), published.clone());
    prop_assert_eq!(explanation.staged.as_ref().map(ExpectedRow::from), staged.clone());
    let is_day_published = world.published.contains(&key.activity_date);
    let standing = match published {
        Some(_) => Standing::Published,
        None if is_day_published => Standing::NoRow,
        None => Standing::DayNotPublished,
    };
    prop_assert_eq!(explanation.standing, standing);
    let agreement = if published == staged { Agreement::Equal } else { Agreement::Waiting };
    prop_assert_eq!(explanation.agreement, is_day_published.then_some(agreement));
    prop_assert!(!explanation.statements.is_empty() && !explanation.crm_statements.is_empty());
    if let Some(row) = staged {
        adds_up(explanation, &row, world)?;
        names_its_export(explanation, &row, world)?;
    }
    Ok(())
}

/// The parts of each cell make up the numbers that the staged data calls for, which are the
/// published ones unless a change waits.
fn adds_up(explanation: &Explanation, row: &ExpectedRow, world: &World) -> Result<(), TestCaseError> {
    let cell = |column: &str| explanation.cells.iter().find(|cell| cell.column == column).unwrap();
    let total = |cell: &Cell| cell.parts.iter().filter_map(|part| part.number).sum::<i64>();
    let users = |cell: &Cell| cell.parts.iter().map(|part| (part.day, part.number)).collect::<Vec<_>>();
    let reported = |length: i64, number: fn(&(i32, i64)) -> i64| -> Vec<(NaiveDate, Option<i64>)> {
        let days = (0..length).rev().map(|back| row.activity_date - TimeDelta::days(back));
        days.map(|day| (day, world.inputs.usage.get(&(row.company_id.clone(), day)).map(number))).collect()
    };
    let rolling = cell("7d_active_users");
    prop_assert_eq!(users(rolling), reported(7, |(users, _)| i64::from(*users)));
    prop_assert_eq!(total(rolling), row.active_users_7d);
    let sum = format!("= {}", row.active_users_7d);
    prop_assert!(rolling.reckoning.ends_with(&sum), "{}", rolling.reckoning);
    let churn = cell("is_churn_risk");
    prop_assert_eq!(users(churn), reported(14, |(_, events)| *events));
    prop_assert_eq!(total(churn) == 0, row.is_churn_risk);
    prop_assert_eq!(total(cell("active_users")), i64::from(row.active_users));
    prop_assert_eq!(total(cell("events")), row.events);
    if let Some(ratio) = row.events_per_user {
        let reckoning = format!("{} / {} = {ratio}", row.events, row.active_users);
        prop_assert_eq!(&cell("events_per_user").reckoning, &reckoning);
    }
    let differing = explanation.cells.iter().any(|cell| cell.differs);
    let is_waiting = explanation.agreement == Some(Agreement::Waiting) && explanation.published.is_some();
    prop_assert_eq!(differing, is_waiting);
    Ok(())
}

/// The CRM's values are those of the snapshot that is named, and it is of the export in effect
/// for its day.
fn names_its_export(
    explanation: &Explanation,
    row: &ExpectedRow,
    world: &World,
) -> Result<(), TestCaseError> {
    let Some(version) = &explanation.crm.version else {
        prop_assert_eq!(&row.company, &None);
        return Ok(());
    };
    let stated = &world.inputs.snapshots[&version.from][&row.company_id];
    prop_assert_eq!(&stated.attributes, &version.attributes);
    let described = row.company.as_ref().map(|company| company.attributes.clone()).unwrap_or_default();
    prop_assert_eq!(&described, &version.attributes);
    prop_assert_eq!(&version.export.path, &world.counting_files[&version.from]);
    prop_assert!(version.export.loaded.is_some());
    Ok(())
}

/// The changes are those that the states show one after the other.
fn explains_the_past(explanation: &Explanation, states: &[State]) -> Result<(), TestCaseError> {
    let key = &explanation.key;
    let mut changes = explanation.changes.iter().rev();
    // The last state that had a row, and the row of the last state.
    let (mut last, mut before): (Option<&State>, Option<ExpectedRow>) = (None, None);
    let mut publishes = BTreeMap::new();
    for state in states {
        let after = state.row(key);
        if before != after {
            let change = changes.next();
            prop_assert!(change.is_some(), "no change at {}: {explanation:#?}", state.time);
            let change = change.unwrap();
            let kind = match (&before, &after) {
                (Some(_), Some(_)) => ChangeKind::Changed,
                (Some(_), None) if state.published.contains(&key.activity_date) => ChangeKind::Removed,
                (Some(_), None) => ChangeKind::TakenBack,
                (None, _) => match publishes.values().next_back() {
                    None => ChangeKind::FirstPublished,
                    Some(true) => ChangeKind::BecameKnown,
                    Some(false) => ChangeKind::PublishedAgain,
                },
            };
            prop_assert_eq!((change.published_at, change.kind), (state.time, kind));
            prop_assert_eq!(change.run_id.as_ref(), Some(&state.run_id));
            prop_assert_eq!(change.after.as_ref().map(ExpectedRow::from), after.clone());
            has_the_right_reasons(key, change, last, state)?;
        }
        let is_published = state.published.contains(&key.activity_date);
        if is_published || publishes.values().next_back() == Some(&true) {
            publishes.insert(state.time, is_published);
        }
        if is_published {
            last = Some(state);
        }
        before = after;
    }
    let rest: Vec<&Change> = changes.collect();
    prop_assert!(rest.is_empty(), "changes that nobody made: {rest:#?}");
    Ok(())
}

/// Each reason is true of what was published before and after, and those that can be told
/// are all there.
fn has_the_right_reasons(
    key: &FactKey,
    change: &Change,
    last: Option<&State>,
    state: &State,
) -> Result<(), TestCaseError> {
    let Some(last) = last else {
        prop_assert_eq!(&change.reasons, &vec![]);
        return Ok(());
    };
    let numbers = |day: NaiveDate| (last.numbers(&key.company_id, day), state.numbers(&key.company_id, day));
    for reason in &change.reasons {
        for day in &reason.days {
            let (before, after) = numbers(*day);
            let is_true = match reason.kind {
                ReasonKind::LateRecord => before == (0, 0) && after != (0, 0),
                ReasonKind::RecordGone => before != (0, 0) && after == (0, 0),
                ReasonKind::Correction => before != (0, 0) && before != after,
                ReasonKind::UnpublishedDays => true,
                ReasonKind::CrmChange | ReasonKind::Rebuild => false,
            };
            prop_assert!(is_true, "{day} went from {before:?} to {after:?}: {change:#?}");
        }
    }
    let has_rows = change.before.is_some() && change.after.is_some();
    if matches!(change.kind, ChangeKind::Changed | ChangeKind::PublishedAgain) && has_rows {
        let kinds = |wanted: &[ReasonKind]| -> BTreeSet<NaiveDate> {
            let reasons = change.reasons.iter().filter(|reason| wanted.contains(&reason.kind));
            reasons.flat_map(|reason| reason.days.clone()).collect()
        };
        let told = kinds(&[ReasonKind::LateRecord, ReasonKind::Correction, ReasonKind::RecordGone]);
        let visible = |day: &NaiveDate| last.published.contains(day) && state.published.contains(day);
        let days = window_of(key.activity_date).days();
        let expected: BTreeSet<NaiveDate> = days
            .filter(visible)
            .filter(|day| reads_a_change(key.activity_date, *day, numbers(*day)))
            .collect();
        prop_assert_eq!(told, expected, "{:#?}", change);
        prop_assert!(!kinds(&[ReasonKind::UnpublishedDays]).contains(&key.activity_date));
        let crm = |row: Option<&domain::FactRow>| row.map(ExpectedRow::from).and_then(|row| row.company);
        let says_crm = change.reasons.iter().any(|reason| reason.kind == ReasonKind::CrmChange);
        prop_assert_eq!(says_crm, crm(change.before.as_ref()) != crm(change.after.as_ref()));
    }
    let changes_values =
        matches!(change.kind, ChangeKind::Changed | ChangeKind::BecameKnown | ChangeKind::Removed);
    prop_assert!(!changes_values || !change.reasons.is_empty(), "no reason: {change:#?}");
    Ok(())
}

/// Whether the row of `day` reads what changed on `of`.
fn reads_a_change(day: NaiveDate, of: NaiveDate, (before, after): ((i32, i64), (i32, i64))) -> bool {
    let is_summed = (day - of).num_days() < 7;
    (day == of && before != after) || (is_summed && before.0 != after.0) || (before.1 > 0) != (after.1 > 0)
}
