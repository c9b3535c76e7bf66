//! The vocabulary of the behaviours of events.

use std::{collections::BTreeMap, slice, sync::Arc};

use chrono::NaiveDate;
use domain::{Counters, EventId, EventRecord, RejectionLimit, SourceRow, run::STAGE_COPY_EVENTS};
use futures::{StreamExt, stream};
use warehouse_core::{
    EventFile, Fence, LoadOutcome, NewRun, NewStage, Result, SharedWarehouse, SourceError, WindowChoice,
    inspection::{DailyEvents, StoredEvent},
};

use crate::engine::EngineUnderTest;
use crate::scene::{HeldRun, at, day, days, hold_new_run, id, new_run};

/// The companies that have events.
pub const COMPANIES: [&str; 3] = ["007", "acme", "bolt"];

/// The size of a file in bytes.
pub const FILE_BYTES: u64 = 500;

/// An event in short: company, day, event, count.
pub type Reported<'a> = (&'a str, i64, &'a str, i64);

/// A sum in short: company, day, sum, events.
pub type ReportedSum<'a> = (&'a str, i64, i64, i64);

/// An event file.
#[must_use]
pub fn file(path: &str, etag: &str) -> EventFile {
    EventFile { path: path.to_owned(), etag: etag.to_owned(), bytes: FILE_BYTES }
}

/// An event on the day `offset` days after 2026-01-01.
#[must_use]
pub fn event((company_id, offset, event_id, events): Reported<'_>) -> EventRecord {
    let event_id = EventId::parse(event_id).unwrap();
    EventRecord { company_id: id(company_id), date: day(offset), event_id, events }
}

/// The lines of a file without bad records.
#[must_use]
pub fn lines(events: &[Reported<'_>]) -> Vec<SourceRow<EventRecord>> {
    (1..).zip(events).map(|(line, reported)| SourceRow::Accepted { line, row: event(*reported) }).collect()
}

/// The counters of loading a file.
#[must_use]
pub fn loaded(written: u64, unchanged: u64, duplicate: u64) -> Counters {
    Counters {
        rows_read: written + unchanged + duplicate,
        rows_written: written,
        rows_unchanged: unchanged,
        rows_duplicate: duplicate,
        bytes_read: FILE_BYTES,
        ..Counters::default()
    }
}

/// A run of a separate pipeline, in its only stage, which copies events.
#[derive(Debug)]
pub struct EventRun {
    warehouse: SharedWarehouse,
    /// The run.
    pub held: HeldRun,
    /// The fence of its stage.
    pub fence: Fence,
}

impl EventRun {
    /// Creates the run, takes it up and starts its stage.
    pub async fn begin(warehouse: &SharedWarehouse, hour: i64) -> Self {
        let stage = NewStage {
            stage: STAGE_COPY_EVENTS.to_owned(),
            service: "ingest-events".to_owned(),
            depends_on: vec![],
        };
        let new = NewRun {
            pipeline: "pl_events".to_owned(),
            force: true,
            accept_empty_days: std::collections::BTreeSet::new(),
            rebuild_days: std::collections::BTreeSet::new(),
            stages: vec![stage],
            ..new_run(WindowChoice::Days(days(0, 0)))
        };
        let held = hold_new_run(warehouse, new, at(hour)).await;
        let fence = held.begin(STAGE_COPY_EVENTS).await;
        Self { warehouse: Arc::clone(warehouse), held, fence }
    }

    /// Loads a file.
    pub async fn load(&self, file: &EventFile, rows: Vec<SourceRow<EventRecord>>) -> Result<LoadOutcome> {
        self.load_within(file, RejectionLimit::NONE, rows).await
    }

    /// Loads a file if few enough of its records are rejected.
    pub async fn load_within(
        &self,
        file: &EventFile,
        limit: RejectionLimit,
        rows: Vec<SourceRow<EventRecord>>,
    ) -> Result<LoadOutcome> {
        let rows = stream::iter(rows.into_iter().map(Ok)).boxed();
        self.warehouse.load_event_file(&self.fence, file, limit, rows, self.held.now).await
    }

    /// Loads a file whose source breaks off after its rows.
    pub async fn load_broken(
        &self,
        file: &EventFile,
        rows: Vec<SourceRow<EventRecord>>,
    ) -> Result<LoadOutcome> {
        let breaks =
            SourceError { kind: domain::FailureKind::Unavailable, message: "the source is gone".to_owned() };
        let rows = stream::iter(rows.into_iter().map(Ok).chain([Err(breaks)])).boxed();
        self.warehouse.load_event_file(&self.fence, file, RejectionLimit::NONE, rows, self.held.now).await
    }

    /// Loads a file that must be accepted.
    pub async fn accept(&self, path: &str, etag: &str, events: &[Reported<'_>]) -> Counters {
        self.load(&file(path, etag), lines(events)).await.unwrap().counters
    }
}

/// Whether exactly this file is loaded.
///
/// # Panics
/// If the warehouse fails.
pub async fn has_event_file(warehouse: &SharedWarehouse, file: &EventFile) -> bool {
    warehouse.new_event_files(slice::from_ref(file)).await.unwrap().is_empty()
}

/// Everything stored of [`COMPANIES`], by company, day and event.
pub async fn stored(warehouse: &EngineUnderTest) -> Vec<StoredEvent> {
    let mut stored = Vec::new();
    for company in COMPANIES {
        stored.extend(warehouse.staging.stored_events(&id(company), days(-4_000, 4_000)).await.unwrap());
    }
    stored
}

/// All daily sums of [`COMPANIES`], by company and day.
pub async fn sums(warehouse: &EngineUnderTest) -> Vec<(&'static str, DailyEvents)> {
    let mut sums = Vec::new();
    for company in COMPANIES {
        let daily = warehouse.staging.daily_events(&id(company), days(-4_000, 4_000)).await.unwrap();
        sums.extend(daily.into_iter().map(|sum| (company, sum)));
    }
    sums
}

/// The full `GROUP BY` over stored events, without an engine.
#[must_use]
pub fn grouped(stored: &[StoredEvent]) -> Vec<(&str, DailyEvents)> {
    let mut groups: BTreeMap<(&str, NaiveDate), (i64, i64)> = BTreeMap::new();
    for StoredEvent { record, .. } in stored {
        let (events, event_count) = groups.entry((record.company_id.as_str(), record.date)).or_default();
        *events += record.events;
        *event_count += 1;
    }
    groups
        .into_iter()
        .map(|((company, date), (events, event_count))| (company, DailyEvents { date, events, event_count }))
        .collect()
}

/// Checks that exactly these events are stored, each with the path of its file, and
/// that the sums match them.
pub async fn assert_stored(warehouse: &EngineUnderTest, expected: &[(Reported<'_>, &str)]) {
    let expected: Vec<StoredEvent> = expected
        .iter()
        .map(|(reported, path)| StoredEvent { record: event(*reported), source_path: (*path).to_owned() })
        .collect();
    let stored = stored(warehouse).await;
    assert_eq!(stored, expected);
    assert_eq!(sums(warehouse).await, grouped(&stored));
}

/// Checks that these are the daily sums.
pub async fn assert_sums(warehouse: &EngineUnderTest, expected: &[ReportedSum<'_>]) {
    let sums = sums(warehouse).await;
    let reported: Vec<ReportedSum<'_>> = sums
        .iter()
        .map(|(company, sum)| (*company, (sum.date - day(0)).num_days(), sum.events, sum.event_count))
        .collect();
    assert_eq!(reported, expected);
}
