//! The product's guarantee as a property: after any history the published fact equals
//! the definition's fold over the accepted inputs.

mod answers;
pub mod events;
pub mod explanations;
mod exports;
mod extent;
pub mod mended;
mod overview;
pub mod preview;
pub mod retention;
mod states;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    panic, thread,
};

use chrono::NaiveDate;
use domain::{
    CrmCompany, DateWindow, SourceRow, UsageRecord,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use warehouse_core::{CrmDays, CrmExport, UndatedExport};

use crate::{
    behaviours::unpublish::take_back,
    engine::EngineUnderTest,
    history::{
        answers::{Answer, answers},
        exports::{Export, exports, undated_exports},
        extent::SPAN,
        states::States,
    },
    observed::ledger_of_rows,
    reference::{ExpectedRow, Inputs, answered, snapshots_of},
    scene::{HeldRun, at, day, days, hold_run, published, records},
};

/// One run of a history: what it ingests, and how far it gets.
#[derive(Debug, Clone)]
pub struct Step {
    exports: Vec<Export>,
    usage: Vec<Answer>,
    window: DateWindow,
    reaches: Reaches,
    /// Days that are taken back afterwards.
    takes_back: Option<DateWindow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaches {
    Ingest,
    Build,
    Publish,
}

fn steps() -> impl Strategy<Value = Step> {
    let reaches =
        prop_oneof![1 => Just(Reaches::Ingest), 1 => Just(Reaches::Build), 3 => Just(Reaches::Publish)];
    (
        prop::collection::vec(prop_oneof![3 => exports(), 1 => undated_exports()], 0..3),
        prop::collection::vec(answers(), 0..5),
        (0..SPAN, 0..8_i64),
        reaches,
        prop_oneof![5 => Just(None), 1 => (0..SPAN, 0..4_i64).prop_map(Some)],
    )
        .prop_map(|(exports, usage, (from, length), reaches, taken_back)| Step {
            exports,
            usage,
            window: days(from, from + length),
            reaches,
            takes_back: taken_back.map(|(from, length)| days(from, from + length)),
        })
}

/// How many histories play concurrently: they mostly wait for the database.
const WORKERS: u32 = 4;

/// Checks at least `cases` random histories, each on a fresh warehouse. Shrinks a
/// counterexample to the shortest history that still fails.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        check(cases, prop::collection::vec(steps(), 1..8), async |history| {
            let (_guard, warehouse) = open().await;
            let inputs = play(&warehouse, &history).await?;
            let (_guard, rebuilt) = open().await;
            rebuild(&rebuilt, &inputs).await
        });
    });
}

/// Spreads `cases` over the workers.
fn side_by_side(cases: u32, work: impl Fn(u32) + Sync) {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work(cases.div_ceil(WORKERS)))).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|failure| panic::resume_unwind(failure));
        }
    });
}

fn check<S: Strategy>(cases: u32, strategy: S, test: impl AsyncFn(S::Value) -> Result<(), TestCaseError>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |case| runtime.block_on(test(case)))
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// Everything accepted and published so far.
#[derive(Debug, Clone, Default)]
struct World {
    inputs: Inputs,
    /// The content in effect for each day on which a snapshot takes effect.
    contents: BTreeMap<NaiveDate, Vec<SourceRow<CrmCompany>>>,
    /// The file in effect for each day on which a snapshot takes effect.
    counting_files: BTreeMap<NaiveDate, String>,
    /// The latest content of the undated file, and its day.
    undated: Option<(String, NaiveDate)>,
    published: BTreeSet<NaiveDate>,
    /// What each publish left.
    states: States,
}

/// Plays a history, and compares after every publish.
async fn play(warehouse: &EngineUnderTest, history: &[Step]) -> Result<World, TestCaseError> {
    let mut world = World::default();
    for (number, step) in (1_i64..).zip(history) {
        let published = world.play(warehouse, step, number).await?;
        if let Some(run) = &published {
            world.states.remember(warehouse, run.run.run_id).await;
            world.compare(warehouse).await?;
            overview::compare(warehouse, number).await?;
        }
        if let Some(window) = step.takes_back {
            let run_id = take_back(warehouse, window, at(number)).await;
            world.published.retain(|day| !window.contains(*day));
            world.states.remember(warehouse, run_id).await;
            if published.is_some() {
                world.compare(warehouse).await?;
            }
            overview::compare(warehouse, number).await?;
        }
    }
    overview::compare(warehouse, 5).await?;
    world.states.compare(warehouse).await?;
    world.states.compare_with_less_history(warehouse).await?;
    Ok(world)
}

/// Loads the accepted inputs into a fresh warehouse at once and publishes everything in
/// one run: the full rebuild.
async fn rebuild(warehouse: &EngineUnderTest, world: &World) -> Result<(), TestCaseError> {
    let (Some(first), Some(last)) = (world.published.first(), world.published.last()) else { return Ok(()) };
    let run = hold_run(warehouse, DateWindow::new(*first, *last).unwrap(), at(0)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    for (on, rows) in &world.contents {
        run.load_crm_rows(&crm, &crate::scene::export(*on, "rebuild"), rows.clone()).await.unwrap();
    }
    run.complete(&crm).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    let mut by_day: BTreeMap<NaiveDate, Vec<(&str, i32, i64)>> = BTreeMap::new();
    for ((company_id, on), (active_users, events)) in &world.inputs.usage {
        by_day.entry(*on).or_default().push((company_id.as_str(), *active_users, *events));
    }
    for (on, companies) in by_day {
        run.load_usage(&api, on, records(on, &companies)).await.unwrap();
    }
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    world.compare(warehouse).await
}

impl World {
    /// Plays a step, the `number`th; returns its run if that has published.
    async fn play(
        &mut self,
        warehouse: &EngineUnderTest,
        step: &Step,
        number: i64,
    ) -> Result<Option<HeldRun>, TestCaseError> {
        let run = hold_run(warehouse, step.window, at(number)).await;
        let crm = run.begin(STAGE_COPY_CRM_CSV).await;
        for (arrival, export) in step.exports.iter().enumerate() {
            let file = match export.dated() {
                Some(on) => export.file(&format!("{number}/{arrival}"), on),
                None => match self.settle_undated(warehouse, export, step.window).await? {
                    Some(file) => file,
                    None => continue,
                },
            };
            if run.load_crm_rows(&crm, &file, export.rows()).await.is_ok() {
                self.accept_export(export, &file);
            } else {
                prop_assert!(!export.has_companies(), "an export with companies was refused");
            }
        }
        run.complete(&crm).await;
        let api = run.begin(STAGE_CALL_PRODUCT_API).await;
        for answer in &step.usage {
            run.load_usage(&api, day(answer.on), answer.rows()).await.unwrap();
            self.accept_usage(day(answer.on), &answer.rows());
        }
        run.complete(&api).await;
        if step.reaches != Reaches::Ingest {
            run.build().await;
        }
        if step.reaches != Reaches::Publish {
            run.cancel().await;
            return Ok(None);
        }
        run.publish().await;
        self.published.extend(step.window.days());
        Ok(Some(run))
    }

    /// Gives an undated export its day, as its loader does; `None` if its content is
    /// already loaded.
    async fn settle_undated(
        &self,
        warehouse: &EngineUnderTest,
        export: &Export,
        window: DateWindow,
    ) -> Result<Option<CrmExport>, TestCaseError> {
        let (path, etag) = (export.path(), export.content_tag());
        let asked = UndatedExport { path, etag: etag.clone() };
        let days = warehouse.crm_days(&[asked], day(SPAN * 2)).await.unwrap();
        let decided = self.undated.as_ref().filter(|(content, _)| *content == etag).map(|(_, on)| *on);
        let newest = self.published.last().max(self.contents.keys().next_back()).copied();
        let first_snapshot = self.contents.keys().next().copied();
        prop_assert_eq!(&days, &CrmDays { decided: vec![decided], first_snapshot, newest });
        // An export first seen now says nothing about days before the newest.
        let first_seen = newest.map_or(window.end(), |newest| newest.max(window.end()));
        let file = export.file(&etag, decided.unwrap_or(first_seen));
        let is_new = !warehouse.new_crm_exports(std::slice::from_ref(&file)).await.unwrap().is_empty();
        prop_assert_eq!(is_new, decided.is_none());
        Ok(is_new.then_some(file))
    }

    fn accept_export(&mut self, export: &Export, file: &CrmExport) {
        let on = file.effective_on;
        if export.dated().is_none() {
            self.undated = Some((file.etag.clone(), on));
        }
        let counting = self.counting_files.entry(on).or_insert_with(|| file.path.clone());
        if file.path >= *counting {
            counting.clone_from(&file.path);
            self.contents.insert(on, export.rows());
            self.inputs.snapshots = snapshots_of(&self.contents);
        }
    }

    fn accept_usage(&mut self, on: NaiveDate, rows: &[SourceRow<UsageRecord>]) {
        let of_day = self.inputs.usage.extract_if(.., |(_, date), _| *date == on);
        let before = of_day.map(|((company_id, _), numbers)| (company_id, numbers)).collect();
        let after = answered(rows, &before).into_iter();
        self.inputs.usage.extend(after.map(|(company_id, numbers)| ((company_id, on), numbers)));
    }

    async fn compare(&self, warehouse: &EngineUnderTest) -> Result<(), TestCaseError> {
        let (Some(first), Some(last)) = (self.published.first(), self.published.last()) else {
            return Ok(());
        };
        let window = DateWindow::new(*first, *last).unwrap();
        let rows = published(warehouse, window).await;
        let rows: Vec<ExpectedRow> = rows
            .iter()
            .map(ExpectedRow::from)
            .filter(|row| self.published.contains(&row.activity_date))
            .collect();
        prop_assert_eq!(rows, self.inputs.fact(&self.published));
        let ledger: Vec<_> = warehouse
            .published_days(window)
            .await
            .unwrap()
            .iter()
            .map(|entry| (entry.activity_date, entry.row_count, entry.checksum.unwrap()))
            .collect();
        prop_assert_eq!(ledger, ledger_of_rows(warehouse, window).await);
        Ok(())
    }
}
