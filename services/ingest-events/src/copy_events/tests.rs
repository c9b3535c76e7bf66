//! What the stage guarantees, on a real warehouse.

use std::{fs, sync::Arc};

use domain::{CompanyId, Counters, DateWindow, FailureKind};
use file_ingest::FileStage;
use landing::Storage;
use runtime::{
    StoppedClock,
    stage::{StageCall, StageError, StageExecutor, StageOutcome},
};
use tempfile::TempDir;
use warehouse::{
    Acceptance, QuarantineFilter, SharedWarehouse,
    inspection::{DailyEvents, StagingInspector},
};
use warehouse_conformance::{event_scene::EventRun, scene::at};
use warehouse_sqlite::SqliteWarehouse;

use super::*;

mod traces;

/// A folder of event files, the stage that reads it, and a warehouse.
struct Scene {
    folder: TempDir,
    warehouse: SharedWarehouse,
    inspector: SqliteWarehouse,
    stage: FileStage<CopyEvents>,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/w.sqlite", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let inspector = SqliteWarehouse::open(&url).await.unwrap();
        let stage = FileStage {
            storage: Storage::open(&format!("file://{}/events/", folder.path().display())).unwrap(),
            completion: warehouse.clone(),
            clock: Arc::new(StoppedClock(at(6))),
            max_file_bytes: 10_000,
            loader: CopyEvents { staging: warehouse.clone(), limit: RejectionLimit { max_share: 0.05 } },
        };
        Self { folder, warehouse, inspector, stage }
    }

    fn write(&self, path: &str, lines: &[&str]) {
        let path = self.folder.path().join("events").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, lines.join("\n")).unwrap();
    }

    /// Executes the stage in its own run.
    async fn execute(&self) -> Result<StageOutcome, StageError> {
        let EventRun { held, fence, .. } = EventRun::begin(&self.warehouse, 0).await;
        let call = StageCall {
            fence,
            pipeline: held.run.pipeline.clone(),
            window: held.run.window,
            accept_empty_days: std::collections::BTreeSet::new(),
        };
        let outcome = self.stage.execute(call, Arc::new(|_| ())).await;
        if outcome.is_ok() {
            held.finish().await.unwrap();
        } else {
            held.cancel().await;
        }
        outcome
    }

    /// The sums of acme.
    async fn sums(&self) -> Vec<(String, i64, i64)> {
        let acme = CompanyId::parse("acme").unwrap();
        let window = DateWindow::parse("2025-01-01", "2026-12-31").unwrap();
        let sums = self.inspector.daily_events(&acme, window).await.unwrap();
        sums.into_iter()
            .map(|DailyEvents { date, events, event_count }| (date.to_string(), events, event_count))
            .collect()
    }
}

fn event(date: &str, event_id: &str, events: i64) -> String {
    format!(r#"{{"company_id":"acme","date":"{date}","event_id":"{event_id}","events":{events}}}"#)
}

#[tokio::test]
async fn every_record_of_every_file_is_accounted_for() {
    let scene = Scene::new().await;
    let (first, second) = (event("2026-01-01", "a", 1), event("2026-01-01", "b", 2));
    let wild = event("2062-01-01", "c", 1);
    scene.write("2026/01.ndjson", &[&first, &second, &first]);
    scene.write("2026/02.NDJSON", &[&second, "", &wild, &event("2026-01-02", "a", 9)]);
    scene.write("readme.txt", &["no events"]);

    let outcome = scene.execute().await.unwrap();

    let bytes = ["2026/01.ndjson", "2026/02.NDJSON"]
        .map(|path| fs::metadata(scene.folder.path().join("events").join(path)).unwrap().len());
    let counters = Counters {
        rows_read: 6,
        rows_written: 3,
        rows_unchanged: 1,
        rows_duplicate: 1,
        rows_rejected: 1,
        rows_removed: 0,
        bytes_read: bytes.iter().sum(),
    };
    assert_eq!(outcome.counters, counters);
    assert_eq!(outcome.remarks, ["2026/02.NDJSON: 1 row rejected"]);
    assert_eq!(scene.sums().await, [("2026-01-01".to_owned(), 3, 2), ("2026-01-02".to_owned(), 9, 1)]);
    let quarantined = scene.inspector.quarantined_rows(None, 10).await.unwrap().swap_remove(0);
    assert_eq!((quarantined.origin.as_str(), quarantined.line), ("2026/02.NDJSON", 3));
    assert!(quarantined.reason.starts_with("date 2062-01-01 lies outside"), "{}", quarantined.reason);
    assert_eq!(quarantined.raw, wild);
}

#[tokio::test]
async fn a_file_is_read_once_and_again_when_it_changes() {
    let scene = Scene::new().await;
    scene.write("a.ndjson", &[&event("2026-01-01", "a", 1)]);
    scene.execute().await.unwrap();
    let again = scene.execute().await.unwrap();
    assert_eq!(again.counters, Counters::default());
    assert!(again.remarks[0].starts_with("no new event file: all 1 in file:///"), "{:?}", again.remarks);
    scene.write("a.ndjson", &[&event("2026-01-01", "a", 1), &event("2026-01-01", "b", 5)]);
    let grown = scene.execute().await.unwrap();
    assert_eq!((grown.counters.rows_written, grown.counters.rows_unchanged), (1, 1));
    assert_eq!(scene.sums().await, [("2026-01-01".to_owned(), 6, 2)]);
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_named_while_the_others_are_loaded() {
    let scene = Scene::new().await;
    let long = "x".repeat(10_001);
    scene.write("a.ndjson", &["<html>", "</html>"]);
    scene.write("b.ndjson", &[&event("2026-01-01", "a", i64::MAX), &event("2026-01-01", "b", 1)]);
    scene.write("c.ndjson", &[&long]);
    scene.write("d.ndjson", &[&event("2026-01-01", "c", 4)]);
    let error = scene.execute().await.unwrap_err();
    assert_eq!(error.kind, FailureKind::InvalidInput);
    for expected in [
        "3 of 4 event files refused, the others are loaded; ",
        "; a.ndjson: none of its 2 records is an event; line 1: <html> is no record; ",
        "; b.ndjson: with it the events of company acme on 2026-01-01 add up to more than 9223372036854775807",
        "; c.ndjson: the file has 10001 bytes, more than the 10000 of --events-max-file-bytes",
    ] {
        assert!(error.message.contains(expected), "{expected:?} is not in {}", error.message);
    }
    assert_eq!(scene.sums().await, [("2026-01-01".to_owned(), 4, 1)]);
    assert_eq!(scene.inspector.quarantined_rows(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_folder_without_events_is_no_failure() {
    let scene = Scene::new().await;
    let outcome = scene.execute().await.unwrap();
    assert!(outcome.remarks[0].starts_with("there is no event file (*.ndjson) in file:///"), "{outcome:?}");
}

#[tokio::test]
async fn a_file_of_which_too_much_is_rejected_is_refused_until_that_is_accepted() {
    let scene = Scene::new().await;
    let good = event("2026-01-01", "a", 1);
    scene.write("a.ndjson", &[&good, "{}", "[]", "{"]);
    let refused = scene.execute().await.unwrap_err();
    assert!(refused.message.contains("a.ndjson: 3 of 4 rows rejected"), "{refused:?}");
    let why = Acceptance { at: at(5), by: "tester".to_owned(), why: "torn".to_owned() };
    scene.warehouse.accept_quarantined(&QuarantineFilter::default(), &why, None).await.unwrap();
    let outcome = scene.execute().await.unwrap();
    assert_eq!((outcome.counters.rows_written, outcome.counters.rows_rejected), (1, 3));
    assert_eq!(scene.sums().await, [("2026-01-01".to_owned(), 1, 1)]);
}

#[tokio::test]
async fn a_replayed_file_is_read_again_and_one_that_is_gone_is_named() {
    let scene = Scene::new().await;
    let good = event("2026-01-01", "a", 1);
    for file in ["a.ndjson", "b.ndjson"] {
        scene.write(file, &[&good, "{}"]);
    }
    scene.execute().await.unwrap();
    scene.warehouse.request_replay(&QuarantineFilter::default(), at(5)).await.unwrap();
    fs::remove_file(scene.folder.path().join("events/b.ndjson")).unwrap();
    let outcome = scene.execute().await.unwrap();
    assert_eq!(outcome.counters.rows_read, 2);
    let expected = "to be loaded again, but no longer in the folder: b.ndjson; put them back there";
    assert_eq!(outcome.remarks.first().unwrap(), expected);
    assert_eq!(scene.warehouse.event_replays().await.unwrap(), ["b.ndjson"]);
}
