//! The guarantee for the quarantine: once everything that could not be read has been
//! mended, at its source or by a rule and a replay, the tables are as if it had been
//! readable from the start, and the quarantine is empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use chrono::NaiveDate;
use domain::{
    Checksum, DateWindow, EventRecord, SourceRow,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use proptest::prelude::*;
use warehouse_core::{CrmExport, Origin, QuarantineFilter, inspection::StoredEvent};

use super::{
    answers::{Answer, answers},
    check,
    exports::{Export, exports},
    extent::SPAN,
    side_by_side,
};
use crate::{
    engine::EngineUnderTest,
    event_scene::{COMPANIES, EventRun, event, file, has_event_file, stored, sums},
    reference::ExpectedRow,
    scene::{HeldRun, at, day, days, has_crm_export, hold_run, published, rejected, usage_day},
};

/// One run of a history: what the sources deliver before it.
#[derive(Debug, Clone)]
struct Step {
    exports: Vec<Export>,
    usage: Vec<Answer>,
    events: Option<Vec<Event>>,
    window: (i64, i64),
    publishes: bool,
}

/// A record of an event file, and whether it can be read before it is mended.
#[derive(Debug, Clone)]
struct Event {
    company: usize,
    on: i64,
    events: i64,
    readable: bool,
}

/// How something unreadable becomes readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mend {
    /// The source delivers other content in its place.
    AtTheSource,
    /// The same content is read by a better rule, because an operator asks for it.
    OfTheRule,
}

/// The mends in their order, repeated as often as needed, and how many before the next publish.
#[derive(Debug, Clone)]
struct Mends {
    kinds: Vec<Mend>,
    in_reverse: bool,
}

fn steps() -> impl Strategy<Value = Step> {
    let event = (0..COMPANIES.len(), 0..3_i64, 0..4_i64, prop::bool::weighted(0.7))
        .prop_map(|(company, on, events, readable)| Event { company, on, events, readable });
    (
        prop::collection::vec(exports(), 0..3),
        prop::collection::vec(answers(), 0..4),
        prop::option::weighted(0.5, prop::collection::vec(event, 1..5)),
        (0..SPAN, 0..6_i64),
        prop::bool::weighted(0.7),
    )
        .prop_map(|(exports, usage, events, (from, length), publishes)| Step {
            // An export of nothing is refused in any history.
            exports: exports.into_iter().filter(|export| export.mended().has_companies()).collect(),
            usage,
            events,
            window: (from, from + length),
            publishes,
        })
}

fn mends() -> impl Strategy<Value = Mends> {
    let kind = prop_oneof![Just(Mend::AtTheSource), Just(Mend::OfTheRule)];
    (prop::collection::vec(kind, 1..6), any::<bool>())
        .prop_map(|(kinds, in_reverse)| Mends { kinds, in_reverse })
}

/// Checks at least `cases` random histories, each on two fresh warehouses. Shrinks a
/// counterexample to the shortest history that still fails.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        let strategy = (prop::collection::vec(steps(), 1..5), mends());
        check(cases, strategy, async |(history, mends)| {
            let (_guard, readable) = open().await;
            play(&readable, &history, Readable::FromTheStart, &mends).await?;
            let (_guard, mended) = open().await;
            play(&mended, &history, Readable::Later, &mends).await?;
            let (expected, found) = (tables(&readable).await, tables(&mended).await);
            prop_assert_eq!(found, expected);
            Ok(())
        });
    });
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readable {
    FromTheStart,
    Later,
}

/// The newest delivery of each file and day, which can be mended.
#[derive(Debug, Default)]
struct Deliveries {
    exports: BTreeMap<String, (CrmExport, Export)>,
    answers: BTreeMap<i64, Answer>,
    event_files: BTreeMap<String, Vec<Event>>,
}

/// Delivers a history, then mends what is unreadable in two more runs.
async fn play(
    warehouse: &EngineUnderTest,
    history: &[Step],
    readable: Readable,
    mends: &Mends,
) -> Result<(), TestCaseError> {
    let mut newest = Deliveries::default();
    let mut publishes = Vec::new();
    let mut hour = 0;
    for (number, step) in history.iter().enumerate() {
        hour += 2;
        let run = hold_run(warehouse, days(step.window.0, step.window.1), at(hour)).await;
        let crm = run.begin(STAGE_COPY_CRM_CSV).await;
        for (arrival, export) in step.exports.iter().enumerate() {
            let content = if readable == Readable::Later { export.clone() } else { export.mended() };
            let on = export.dated().unwrap();
            let delivered = content.file(&format!("{number}/{arrival}"), on);
            // One of which nothing can be read is refused, and stays new.
            let loaded = run.load_crm_rows(&crm, &delivered, content.rows()).await;
            prop_assert_eq!(loaded.is_ok(), content.has_companies());
            newest.exports.insert(delivered.path.clone(), (delivered, export.clone()));
        }
        run.complete(&crm).await;
        let api = run.begin(STAGE_CALL_PRODUCT_API).await;
        for answer in &step.usage {
            let content = if readable == Readable::Later { answer.clone() } else { answer.mended() };
            run.load_usage(&api, day(answer.on), content.rows()).await.unwrap();
            newest.answers.insert(answer.on, answer.clone());
        }
        run.complete(&api).await;
        if let Some(events) = &step.events {
            // A file has one delivery: what a changed one no longer has is gone for good.
            let path = format!("{number}.ndjson");
            let reading = EventRun::begin(warehouse, hour).await;
            let rows = event_rows(events, readable == Readable::FromTheStart);
            reading.load(&file(&path, "1"), rows).await.unwrap();
            newest.event_files.insert(path, events.clone());
        }
        end(run, step.publishes, step.window, &mut publishes).await;
    }
    if readable == Readable::Later {
        mend(warehouse, newest, mends, hour + 2).await?;
    }
    // What is left to publish, in both histories.
    for window in publishes {
        hour += 2;
        let run = hold_run(warehouse, days(window.0, window.1), at(hour + 100)).await;
        for stage in [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API] {
            let fence = run.begin(stage).await;
            run.complete(&fence).await;
        }
        run.build().await;
        run.publish().await;
    }
    Ok(())
}

async fn end(run: HeldRun, publishes: bool, window: (i64, i64), published: &mut Vec<(i64, i64)>) {
    if publishes {
        run.build().await;
        run.publish().await;
        published.push(window);
    } else {
        run.cancel().await;
    }
}

/// Mends every file and day, in one run.
async fn mend(
    warehouse: &EngineUnderTest,
    newest: Deliveries,
    mends: &Mends,
    hour: i64,
) -> Result<(), TestCaseError> {
    let mut kinds = mends.kinds.iter().copied().cycle();
    let mut kind = || kinds.next().unwrap();
    let run = hold_run(warehouse, days(0, 0), at(hour + 1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let mut exports: Vec<_> = newest.exports.into_values().collect();
    if mends.in_reverse {
        exports.reverse();
    }
    for (delivered, export) in exports {
        if export.is_readable() {
            continue;
        }
        let was_loaded = has_crm_export(warehouse, &delivered).await;
        let again = match kind() {
            Mend::AtTheSource => CrmExport { etag: format!("{} mended", delivered.etag), ..delivered },
            Mend::OfTheRule => {
                request(warehouse, &delivered.path, was_loaded, hour).await?;
                delivered
            }
        };
        prop_assert!(!has_crm_export(warehouse, &again).await, "it is not taken up again");
        run.load_crm_rows(&crm, &again, export.mended().rows()).await.unwrap();
        prop_assert!(has_crm_export(warehouse, &again).await);
    }
    run.complete(&crm).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    for (on, answer) in newest.answers {
        if answer.is_readable() {
            continue;
        }
        let landed = usage_day(day(on)).landing_path.unwrap();
        // The API has the day mended or not: either way it has to be asked again.
        request(warehouse, &landed, true, hour).await?;
        prop_assert!(warehouse.usage_replays().await.unwrap().contains(&day(on)));
        run.load_usage(&api, day(on), answer.mended().rows()).await.unwrap();
        prop_assert_eq!(warehouse.usage_replays().await.unwrap(), Vec::<NaiveDate>::new());
    }
    run.complete(&api).await;
    run.cancel().await;
    let reading = EventRun::begin(warehouse, hour + 1).await;
    for (path, events) in newest.event_files {
        if events.iter().all(|event| event.readable) {
            continue;
        }
        let delivered = match kind() {
            Mend::AtTheSource => file(&path, "2"),
            Mend::OfTheRule => {
                request(warehouse, &path, true, hour).await?;
                file(&path, "1")
            }
        };
        prop_assert!(!has_event_file(warehouse, &delivered).await, "it is not taken up again");
        reading.load(&delivered, event_rows(&events, true)).await.unwrap();
        prop_assert!(has_event_file(warehouse, &delivered).await);
    }
    Ok(())
}

/// Asks for the file to be loaded again.
async fn request(
    warehouse: &EngineUnderTest,
    path: &str,
    was_loaded: bool,
    hour: i64,
) -> Result<(), TestCaseError> {
    let origin = Some(Origin::File(path.to_owned()));
    let filter = QuarantineFilter { origin, ..QuarantineFilter::default() };
    let requested = warehouse.request_replay(&filter, at(hour)).await.unwrap();
    let found: Vec<_> = requested.iter().map(|asked| (asked.origin.as_str(), asked.was_loaded)).collect();
    prop_assert_eq!(found, [(path, was_loaded)]);
    Ok(())
}

fn event_rows(events: &[Event], all_readable: bool) -> Vec<SourceRow<EventRecord>> {
    (1..)
        .zip(events)
        .map(|(line, Event { company, on, events, readable })| {
            if *readable || all_readable {
                let id = format!("e{line}");
                let company = COMPANIES.get(*company).unwrap();
                SourceRow::Accepted { line, row: event((company, *on, &id, *events)) }
            } else {
                rejected(line, "torn", "?")
            }
        })
        .collect()
}

/// Everything that must be the same.
#[derive(Debug, PartialEq)]
struct Tables {
    fact: Vec<ExpectedRow>,
    ledger: Vec<(NaiveDate, i64, Checksum)>,
    usage: Vec<(NaiveDate, u64)>,
    events: Vec<StoredEvent>,
    sums: BTreeSet<String>,
    quarantine: usize,
}

async fn tables(warehouse: &EngineUnderTest) -> Tables {
    let ever: DateWindow = days(-400, 400);
    let ledger = warehouse.published_days(ever).await.unwrap();
    let ledger = ledger.iter().map(|entry| (entry.activity_date, entry.row_count, entry.checksum.unwrap()));
    let usage = warehouse.usage_days(ever).await.unwrap();
    Tables {
        fact: published(warehouse, ever).await.iter().map(ExpectedRow::from).collect(),
        ledger: ledger.collect(),
        usage: usage.iter().map(|state| (state.day, state.records)).collect(),
        events: stored(warehouse).await,
        sums: sums(warehouse).await.iter().map(|sum| format!("{sum:?}")).collect(),
        quarantine: warehouse.list_quarantine(&QuarantineFilter::default(), None, 1).await.unwrap().len(),
    }
}
