//! The guarantee for events as a property: after any history of event files
//! `fact_events` equals the definition's fold, and `agg_company_daily_events` the full
//! `GROUP BY`.

use std::{collections::BTreeMap, future::Future};

use domain::{Counters, EventRecord, SourceRow};
use proptest::{prelude::*, sample::Index};
use warehouse_core::{EventFile, inspection::StoredEvent};

use super::{check, side_by_side};
use crate::{
    engine::EngineUnderTest,
    event_scene::{
        COMPANIES, EventRun, FILE_BYTES, Reported, event, file, grouped, has_event_file, stored, sums,
    },
    observed::interrupted_after,
    scene::rejected,
};

const EVENT_IDS: [&str; 3] = ["a", "b", "c"];

/// Days with events: around the turn of a month, and far away.
const DAYS: [i64; 4] = [-1, 0, 1, 400];

const FILES: usize = 4;

/// One delivery of a history.
#[derive(Debug, Clone)]
struct Step {
    /// Which file: the later path wins.
    file: usize,
    content: Content,
    ending: Ending,
}

#[derive(Debug, Clone)]
enum Content {
    /// Records, and `None` for those that are rejected.
    New(Vec<Option<Record>>),
    /// The content of an earlier step, under any name.
    Again(Index),
}

/// Company, day and event as indices into the lists above, and the count.
type Record = (usize, usize, usize, i64);

#[derive(Debug, Clone, Copy)]
enum Ending {
    Whole,
    BreaksOff,
    Interrupted { polls: usize },
}

fn record() -> impl Strategy<Value = Record> {
    (0..COMPANIES.len(), 0..DAYS.len(), 0..EVENT_IDS.len(), 0..4_i64)
}

fn steps() -> impl Strategy<Value = Step> {
    let new = prop::collection::vec(prop::option::weighted(0.9, record()), 0..8).prop_map(Content::New);
    let content = prop_oneof![3 => new, 1 => any::<Index>().prop_map(Content::Again)];
    let ending = prop_oneof![
        6 => Just(Ending::Whole),
        1 => Just(Ending::BreaksOff),
        2 => (1..60_usize).prop_map(|polls| Ending::Interrupted { polls }),
    ];
    (0..FILES, content, ending).prop_map(|(file, content, ending)| Step { file, content, ending })
}

/// Checks at least `cases` random histories, each on a fresh warehouse. Shrinks a
/// counterexample to the shortest history that still fails.
pub fn hold<G, F: Future<Output = (G, EngineUnderTest)>>(cases: u32, open: impl Fn() -> F + Sync) {
    side_by_side(cases, |cases| {
        check(cases, prop::collection::vec(steps(), 1..10), async |history| {
            let (_guard, warehouse) = open().await;
            play(&warehouse, &history).await
        });
    });
}

/// Plays a history, and compares after every step.
async fn play(warehouse: &EngineUnderTest, history: &[Step]) -> Result<(), TestCaseError> {
    let mut contents: Vec<Vec<Option<Record>>> = Vec::new();
    let mut word = LastWord::default();
    let run = EventRun::begin(warehouse, 1).await;
    for (number, step) in history.iter().enumerate() {
        let records = match &step.content {
            Content::New(records) => records.clone(),
            Content::Again(_) if contents.is_empty() => Vec::new(),
            Content::Again(earlier) => earlier.get(&contents).clone(),
        };
        contents.push(records.clone());
        let delivered = file(&format!("{}.ndjson", step.file), &number.to_string());
        let counters = deliver(warehouse, &run, &delivered, &records, step.ending).await;
        if has_event_file(warehouse, &delivered).await {
            let written = word.take(&delivered.path, &records);
            if let Some(counters) = counters {
                prop_assert_eq!((counters.rows_written, counters.bytes_read), (written, FILE_BYTES));
                prop_assert_eq!(counters.rows_read, records.len() as u64);
                prop_assert!(counters.check_balance().is_ok());
            }
        } else {
            prop_assert!(counters.is_none(), "a file that was loaded is not known");
            prop_assert!(!matches!(step.ending, Ending::Whole), "a file was not loaded");
        }
        let stored = stored(warehouse).await;
        prop_assert_eq!(&stored, &word.events());
        prop_assert_eq!(sums(warehouse).await, grouped(&stored));
    }
    Ok(())
}

/// Delivers a file the way the history says; returns the counters if the load finished.
async fn deliver(
    warehouse: &EngineUnderTest,
    run: &EventRun,
    file: &EventFile,
    records: &[Option<Record>],
    ending: Ending,
) -> Option<Counters> {
    let rows = rows(records);
    match ending {
        Ending::Whole => Some(run.load(file, rows).await.unwrap().counters),
        Ending::BreaksOff => {
            run.load_broken(file, rows).await.unwrap_err();
            assert!(!has_event_file(warehouse, file).await, "half a file was loaded");
            None
        }
        Ending::Interrupted { polls } => {
            let outcome = interrupted_after(polls, run.load(file, rows)).await;
            run.held.settle(&run.fence).await;
            outcome.map(|outcome| outcome.unwrap().counters)
        }
    }
}

fn rows(records: &[Option<Record>]) -> Vec<SourceRow<EventRecord>> {
    (1..)
        .zip(records)
        .map(|(line, record)| match record {
            Some(record) => SourceRow::Accepted { line, row: event(reported(*record)) },
            None => rejected(line, "bad", "?"),
        })
        .collect()
}

fn reported((company, on, event_id, events): Record) -> Reported<'static> {
    let company = COMPANIES.get(company).unwrap();
    let (on, event_id) = (DAYS.get(on).unwrap(), EVENT_IDS.get(event_id).unwrap());
    (company, *on, event_id, events)
}

/// The definition: each file's latest record of each event.
#[derive(Debug, Default)]
struct LastWord {
    said: BTreeMap<(&'static str, i64, &'static str), BTreeMap<String, i64>>,
}

impl LastWord {
    /// Takes a file's present content; returns how many events are new or have a
    /// different count.
    fn take(&mut self, path: &str, records: &[Option<Record>]) -> u64 {
        let before = self.counts();
        for (company, on, event_id, events) in records.iter().flatten().map(|record| reported(*record)) {
            let files = self.said.entry((company, on, event_id)).or_default();
            files.insert(path.to_owned(), events);
        }
        self.counts().iter().filter(|(event, count)| before.get(*event) != Some(*count)).count() as u64
    }

    fn counts(&self) -> BTreeMap<(&'static str, i64, &'static str), i64> {
        self.said.iter().filter_map(|(event, files)| Some((*event, *files.last_key_value()?.1))).collect()
    }

    /// The events that should be stored: of the files with an event, the last one wins.
    fn events(&self) -> Vec<StoredEvent> {
        self.said
            .iter()
            .filter_map(|((company, on, event_id), files)| {
                let (path, events) = files.last_key_value()?;
                let record = event((company, *on, event_id, *events));
                Some(StoredEvent { record, source_path: path.clone() })
            })
            .collect()
    }
}
