//! A preview's guarantee as a property: after any history it reports what the backfill
//! then does, row by row.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
};

use chrono::{DateTime, NaiveDate};
use domain::{
    DateWindow, FactKey, FactRow,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use futures::{StreamExt, stream};
use proptest::prelude::*;
use warehouse_core::{ChangeKind, CompanyDayChange, DayChanges, PreviewOutcome, UsageLimits};

use super::{
    SPAN,
    answers::{Answer, answers},
    check, play, side_by_side, steps,
};
use crate::{
    engine::EngineUnderTest,
    scene::{at, day, days, hold_run, published},
    usage_scene::strict,
};

/// The request of a backfill, and the product API's answers.
#[derive(Debug, Clone)]
struct Backfill {
    windows: Vec<DateWindow>,
    /// By day, each once.
    answers: BTreeMap<i64, Answer>,
    limits: UsageLimits,
    sample: u32,
}

fn backfills() -> impl Strategy<Value = Backfill> {
    let gap_and_length = (2..5_i64, 0..6_i64);
    let answers = prop::collection::vec(answers(), 0..12);
    let limits = prop_oneof![Just(UsageLimits::NONE), Just(strict())];
    (-2..SPAN, prop::collection::vec(gap_and_length, 1..4), answers, limits, 0..12_u32).prop_map(
        |(start, shapes, answers, limits, sample)| {
            let mut next = start;
            let window = |(gap, length): (i64, i64)| {
                let window = days(next, next + length);
                next += length + gap;
                window
            };
            Backfill {
                windows: shapes.into_iter().map(window).collect(),
                answers: answers.into_iter().map(|answer| (answer.on, answer)).collect(),
                limits,
                sample,
            }
        },
    )
}

/// Checks at least `cases` random histories that each end in a backfill.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        check(cases, (prop::collection::vec(steps(), 0..6), backfills()), async |(history, backfill)| {
            let (_guard, warehouse) = open().await;
            play(&warehouse, &history).await?;
            let before = State::of(&warehouse).await;
            let previewed = preview(&warehouse, &backfill).await;
            prop_assert_eq!(&State::of(&warehouse).await, &before);
            let refused = run(&warehouse, &backfill).await;
            prop_assert_eq!(previewed.refused, refused);
            let happened = before.difference(&State::of(&warehouse).await, &backfill);
            prop_assert_eq!(previewed.outcome, happened);
            Ok(())
        });
    });
}

struct Previewed {
    outcome: PreviewOutcome,
    /// The days whose answers were refused.
    refused: Vec<i64>,
}

async fn preview(warehouse: &EngineUnderTest, backfill: &Backfill) -> Previewed {
    let mut session = warehouse.begin_preview(&backfill.windows).await.unwrap();
    let mut refused = Vec::new();
    for (on, answer) in &backfill.answers {
        let rows = stream::iter(answer.rows().into_iter().map(Ok)).boxed();
        if session.add_usage_day(day(*on), backfill.limits, rows).await.is_err() {
            refused.push(*on);
        }
    }
    let mut outcome = session.finish(backfill.sample, at(50), Arc::new(|_| ())).await.unwrap();
    for change in &mut outcome.sample {
        *change =
            CompanyDayChange { old: change.old.as_ref().map(values), new: change.new.as_ref().map(values) };
    }
    Previewed { outcome, refused }
}

/// Runs the backfill, with its runs taking the answers in order. Returns the days whose
/// answers were refused.
async fn run(warehouse: &EngineUnderTest, backfill: &Backfill) -> Vec<i64> {
    let mut refused = Vec::new();
    let mut answers = backfill.answers.iter();
    let share = answers.len().div_ceil(backfill.windows.len());
    for window in &backfill.windows {
        let run = hold_run(warehouse, *window, at(60)).await;
        let crm = run.begin(STAGE_COPY_CRM_CSV).await;
        run.complete(&crm).await;
        let api = run.begin(STAGE_CALL_PRODUCT_API).await;
        for (on, answer) in answers.by_ref().take(share) {
            if run.load_usage_within(&api, day(*on), backfill.limits, answer.rows()).await.is_err() {
                refused.push(*on);
            }
        }
        run.complete(&api).await;
        run.build().await;
        run.publish().await;
    }
    refused
}

/// What is published.
#[derive(Debug, PartialEq)]
struct State {
    rows: BTreeMap<FactKey, FactRow>,
    days: BTreeSet<NaiveDate>,
}

impl State {
    async fn of(warehouse: &EngineUnderTest) -> Self {
        let ever = days(-400, 400);
        let rows = published(warehouse, ever).await.into_iter().map(|row| (row.key.clone(), row));
        let ledger = warehouse.published_days(ever).await.unwrap();
        Self { rows: rows.collect(), days: ledger.iter().map(|entry| entry.activity_date).collect() }
    }

    /// The correct preview of a backfill that led from this state to `after`.
    fn difference(&self, after: &Self, backfill: &Backfill) -> PreviewOutcome {
        let keys: BTreeSet<&FactKey> = self.rows.keys().chain(after.rows.keys()).collect();
        let asked = backfill.windows.iter().flat_map(DateWindow::days);
        let nothing = |day| DayChanges {
            day,
            is_published: self.days.contains(&day),
            new: 0,
            changed: 0,
            gone: 0,
            unchanged: self.rows.keys().filter(|key| key.activity_date == day).count() as u64,
        };
        let mut days: BTreeMap<NaiveDate, DayChanges> = asked.map(|day| (day, nothing(day))).collect();
        let mut sample = Vec::new();
        for key in keys {
            let (old, new) = (self.rows.get(key).map(values), after.rows.get(key).map(values));
            if old == new {
                continue;
            }
            let day = days.entry(key.activity_date).or_insert_with(|| nothing(key.activity_date));
            let kind = match (&old, &new) {
                (None, _) => ChangeKind::New,
                (_, None) => ChangeKind::Gone,
                _ => ChangeKind::Changed,
            };
            match kind {
                ChangeKind::New => day.new += 1,
                ChangeKind::Gone => day.gone += 1,
                ChangeKind::Changed => day.changed += 1,
            }
            day.unchanged -= u64::from(kind != ChangeKind::New);
            sample.push((kind, CompanyDayChange { old, new }));
        }
        // Stable: within a kind the keys stay in order.
        sample.sort_by_key(|(kind, _)| *kind);
        sample.truncate(backfill.sample as usize);
        PreviewOutcome {
            days: days.into_values().collect(),
            sample: sample.into_iter().map(|(_, change)| change).collect(),
            is_outdated: false,
        }
    }
}

/// A row without `loaded_at`, which says when it was published, not what.
fn values(row: &FactRow) -> FactRow {
    FactRow { loaded_at: DateTime::UNIX_EPOCH, ..row.clone() }
}
