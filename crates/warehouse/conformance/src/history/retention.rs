//! The guarantee with a forgotten past: whatever is removed, what is kept and what
//! comes later equals the fold over all inputs ever, and forgotten days are built as
//! new.

use std::{collections::BTreeSet, future::Future};

use chrono::NaiveDate;
use domain::{
    DateWindow, SourceRow, UsageRecord,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
    usage::CHURN_DAYS,
};
use proptest::prelude::*;
use warehouse_core::{Error, HistoryStart};

use super::{
    Reaches, World,
    answers::numbers,
    check,
    exports::{Export, exports},
    extent::COMPANIES,
    overview, side_by_side,
};
use crate::{
    engine::EngineUnderTest,
    scene::{HeldRun, at, day, days, hold_run, id, records},
};

/// The months before which days are forgotten, by first day.
const MONTHS: [i64; 2] = [-31, 0];

/// One run of a history, and what is forgotten after it.
#[derive(Debug, Clone)]
struct Step {
    exports: Vec<Export>,
    corrections: Vec<Correction>,
    window: DateWindow,
    reaches: Reaches,
    forgets: Option<usize>,
}

/// The product API's data for a day from now on, by company. All of it is readable: it
/// is also the answer for a forgotten day, of which nothing is known.
#[derive(Debug, Clone)]
struct Correction {
    on: i64,
    companies: Vec<Option<(i32, i64)>>,
}

impl Correction {
    fn records(&self) -> Vec<SourceRow<UsageRecord>> {
        let reported: Vec<_> = COMPANIES
            .into_iter()
            .zip(&self.companies)
            .filter_map(|(name, numbers)| numbers.map(|(active_users, events)| (name, active_users, events)))
            .collect();
        records(day(self.on), &reported)
    }
}

fn corrections() -> impl Strategy<Value = Correction> {
    (-60..26_i64, prop::collection::vec(prop::option::of(numbers()), COMPANIES.len()))
        .prop_map(|(on, companies)| Correction { on, companies })
}

fn steps() -> impl Strategy<Value = Step> {
    let reaches =
        prop_oneof![1 => Just(Reaches::Ingest), 1 => Just(Reaches::Build), 5 => Just(Reaches::Publish)];
    (
        prop::collection::vec(exports(), 0..2),
        prop::collection::vec(corrections(), 0..4),
        (-45..20_i64, 0..40_i64),
        reaches,
        prop::option::of(0..MONTHS.len()),
    )
        .prop_map(|(exports, corrections, (from, length), reaches, forgets)| Step {
            exports,
            corrections,
            window: days(from, from + length),
            reaches,
            forgets,
        })
}

/// Checks at least `cases` random histories, each on a fresh warehouse.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        check(cases, prop::collection::vec(steps(), 1..8), async |history| {
            let (_guard, warehouse) = open().await;
            play(&warehouse, &history).await
        });
    });
}

async fn play(warehouse: &EngineUnderTest, history: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::default();
    // Whether a run built candidates without publishing them.
    let mut has_candidates = false;
    for (number, step) in (1_i64..).zip(history) {
        let run = hold_run(warehouse, step.window, at(number)).await;
        copy_crm(&run, step, number, &mut world).await;
        call_api(warehouse, &run, step, &mut world).await;
        if step.reaches != Reaches::Ingest {
            run.build().await;
            has_candidates = step.reaches == Reaches::Build;
        }
        if step.reaches == Reaches::Publish {
            run.publish().await;
            world.published.extend(step.window.days());
            world.states.remember(warehouse, run.run.run_id).await;
        } else {
            run.cancel().await;
        }
        if let Some(month) = step.forgets.and_then(|month| MONTHS.get(month)) {
            forget(warehouse, day(*month), has_candidates, &mut world).await?;
        }
        if step.reaches == Reaches::Publish {
            world.compare(warehouse).await?;
            overview::compare(warehouse, number).await?;
        }
        let freshness = warehouse.freshness().await.unwrap();
        prop_assert_eq!(
            freshness.map(|found| (found.oldest, found.published_days)),
            world.published.first().map(|oldest| (*oldest, i64::try_from(world.published.len()).unwrap()))
        );
    }
    world.states.compare(warehouse).await?;
    world.states.compare_with_less_history(warehouse).await
}

async fn copy_crm(run: &HeldRun, step: &Step, number: i64, world: &mut World) {
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    for (arrival, export) in step.exports.iter().enumerate() {
        let Some(on) = export.dated() else { continue };
        let file = export.file(&format!("{number}/{arrival}"), on);
        if run.load_crm_rows(&crm, &file, export.rows()).await.is_ok() {
            world.accept_export(export, &file);
        }
    }
    run.complete(&crm).await;
}

/// Loads corrections, and every unstaged day that the window's fact reads.
async fn call_api(warehouse: &EngineUnderTest, run: &HeldRun, step: &Step, world: &mut World) {
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    let mut due = BTreeSet::new();
    for correction in &step.corrections {
        world.accept_usage(day(correction.on), &correction.records());
        due.insert(day(correction.on));
    }
    let read = step.window.reaching_back(CHURN_DAYS - 1);
    let staged: BTreeSet<NaiveDate> =
        warehouse.usage_days(read).await.unwrap().into_iter().map(|state| state.day).collect();
    due.extend(read.days().filter(|day| !staged.contains(day)));
    for on in due {
        let answer: Vec<(&str, i32, i64)> = COMPANIES
            .into_iter()
            .filter_map(|name| {
                let (active_users, events) = world.inputs.usage.get(&(id(name), on))?;
                Some((name, *active_users, *events))
            })
            .collect();
        run.load_usage(&api, on, records(on, &answer)).await.unwrap();
    }
    run.complete(&api).await;
}

/// Forgets what may be forgotten; anything else is refused.
async fn forget(
    warehouse: &EngineUnderTest,
    first_kept: NaiveDate,
    has_candidates: bool,
    world: &mut World,
) -> Result<(), TestCaseError> {
    let leaves_gap = world.published.first().is_some_and(|day| *day < first_kept)
        && !world.published.contains(&first_kept);
    match warehouse.forget_days_before(HistoryStart::new(first_kept).unwrap(), false).await {
        Ok(forgotten) => {
            prop_assert!(!leaves_gap);
            let before = world.published.len();
            world.published.retain(|day| *day >= first_kept);
            world.states.forget_before(first_kept);
            prop_assert_eq!(forgotten.days, (before - world.published.len()) as u64);
        }
        Err(Error::Precondition(problem)) => prop_assert!(leaves_gap || has_candidates, "{}", problem),
        Err(error) => prop_assert!(false, "{}", error),
    }
    Ok(())
}
