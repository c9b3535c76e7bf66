//! What the stage promises, on a real warehouse.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chrono::NaiveDate;
use domain::{
    CompanyId, Counters, DateWindow, FactKey, FactRow, FailureKind, StageState, date_window::parse_day,
    run::STAGE_CALL_PRODUCT_API,
};
use file_ingest::FileStage;
use landing::Storage;
use runtime::{
    StoppedClock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tempfile::TempDir;
use warehouse::{Fence, SharedWarehouse, inspection::StagingInspector};
use warehouse_conformance::{
    observed::interrupted_after,
    scene::{HeldRun, at, hold_run},
};
use warehouse_sqlite::SqliteWarehouse;

use super::*;
use crate::column_names::{ColumnNames, Preset};

mod files_and_days;
mod headers;
mod replays;
mod traces;

/// A folder of exports, the stage that reads it, and a warehouse.
struct Scene {
    folder: TempDir,
    warehouse: SharedWarehouse,
    inspector: SqliteWarehouse,
    stage: FileStage<CopyCrmCsv>,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/w.sqlite", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let inspector = SqliteWarehouse::open(&url).await.unwrap();
        let storage =
            |name: &str| Storage::open(&format!("file://{}/{name}/", folder.path().display())).unwrap();
        let stage = FileStage {
            storage: storage("crm"),
            completion: warehouse.clone(),
            clock: Arc::new(StoppedClock(at(6))),
            max_file_bytes: 10_000,
            loader: CopyCrmCsv {
                staging: warehouse.clone(),
                archive: Archive::new(storage("landing"), &storage("crm")).unwrap(),
                format: CsvFormat::default(),
                effective_offset_days: 0,
                day_source: DaySource::Path,
                same_day: SameDay::Refuse,
                limits: SnapshotLimits { max_shrink_share: 0.5, ..SnapshotLimits::NONE },
            },
        };
        Self { folder, warehouse, inspector, stage }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join("crm").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Executes only this stage in a run over `business_date`.
    async fn execute(&self, business_date: &str) -> Result<StageOutcome, StageError> {
        let run = self.hold(business_date).await;
        let outcome = self.execute_in(&run, Arc::new(|_| ())).await;
        run.cancel().await;
        outcome
    }

    async fn hold(&self, business_date: &str) -> HeldRun {
        hold_run(&self.warehouse, DateWindow::day(date(business_date)), at(0)).await
    }

    async fn execute_in(&self, run: &HeldRun, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        let fence = run.begin(STAGE_COPY_CRM_CSV).await;
        self.stage.execute(call(run, &fence), progress).await
    }

    async fn quarantine(&self) -> Vec<(String, u64, String, String)> {
        let rows = self.inspector.quarantined_rows(None, 100).await.unwrap();
        rows.into_iter().map(|row| (row.origin, row.line, row.reason, row.raw)).collect()
    }

    /// The copies of a file: their paths and contents.
    fn copies(&self, path: &str) -> Vec<(PathBuf, String)> {
        let folder = self.folder.path().join("landing/crm/archive").join(path);
        let Ok(entries) = fs::read_dir(folder) else { return vec![] };
        let paths = entries.map(|entry| entry.unwrap().path());
        // An interrupted write continues in the background, beside the copy.
        let copies = paths.filter(|path| path.extension() == Some("csv".as_ref()));
        copies.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
    }

    /// Whether the current content of the file is loaded with this effective day.
    async fn is_loaded(&self, path: &str, effective_on: &str) -> bool {
        let file = self.stage.storage.info(path).await.unwrap().unwrap();
        let export = CrmExport {
            path: file.path,
            etag: file.etag,
            effective_on: date(effective_on),
            bytes: file.size,
            archive_path: None,
        };
        self.warehouse.new_crm_exports(&[export]).await.unwrap().is_empty()
    }
}

fn date(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

fn call(run: &HeldRun, fence: &Fence) -> StageCall {
    StageCall {
        fence: fence.clone(),
        pipeline: run.run.pipeline.clone(),
        window: run.run.window,
        accept_empty_days: std::collections::BTreeSet::new(),
    }
}

const GOOD: &str = "company_id,name\nacme,Acme\nbolt,Bolt\n";

#[tokio::test]
async fn every_row_of_every_export_is_accounted_for() {
    let scene = Scene::new().await;
    let second = "company_id;name\r\nacme;Acme Inc\r\n;Nobody\r\nbolt;Bolt\r\nbolt;Bolt\r\n;\"torn\r\n";
    scene.write("2026/companies_2026-02-01.csv", GOOD);
    scene.write("2026/companies_2026-02-02.CSV", second);
    scene.write("readme.txt", "no export");
    let run = scene.hold("2026-02-03").await;

    let outcome = scene.execute_in(&run, Arc::new(|_| ())).await.unwrap();

    let counters = Counters {
        rows_read: 7,
        rows_written: 3,
        rows_unchanged: 1,
        rows_duplicate: 1,
        rows_rejected: 2,
        rows_removed: 0,
        bytes_read: (GOOD.len() + second.len()) as u64,
    };
    assert_eq!(outcome.counters, counters);
    assert_eq!(
        outcome.remarks,
        [
            "2026/companies_2026-02-02.CSV: 2 rows rejected",
            "2026/companies_2026-02-02.CSV: a rejected row may be that of any company (line 3: company_id is \
             empty), so this export takes no company out of the CRM",
        ]
    );
    let origin = || "2026/companies_2026-02-02.CSV".to_owned();
    assert_eq!(
        scene.quarantine().await,
        [
            (origin(), 3, "company_id is empty".to_owned(), ";Nobody".to_owned()),
            (origin(), 6, "column 2 opens a quote that is never closed".to_owned(), ";\"torn".to_owned()),
        ]
    );
    let committed = scene.warehouse.run(run.run.run_id).await.unwrap().unwrap().stages.swap_remove(0);
    assert_eq!(committed.state, StageState::Succeeded);
    assert_eq!((committed.counters, committed.remarks), (outcome.counters, outcome.remarks));
}

#[tokio::test]
async fn companies_are_published_as_the_export_has_them() {
    let scene = Scene::new().await;
    let file = b"\xef\xbb\xbfCompany_ID;Company_Name;Country;note;last_contact_at\r\n\
        007;\"Z\xc3\xbcrich; \"\"big\"\"\r\nbank\";CH;x;2026-02-03T22:00:00-05:00\r\n";
    scene.write("companies_2026-02-01.csv", file);
    let run = scene.hold("2026-02-05").await;
    scene.execute_in(&run, Arc::new(|_| ())).await.unwrap();
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;

    let key = FactKey { company_id: CompanyId::parse("007").unwrap(), activity_date: date("2026-02-05") };
    let (row, _) = scene.warehouse.fact_row(&key).await.unwrap().unwrap();
    let expected = FactRow {
        company_name: Some("Zürich; \"big\"\r\nbank".to_owned()),
        country: Some("CH".to_owned()),
        industry_tag: None,
        last_contact_at: Some("2026-02-04T03:00:00Z".parse().unwrap()),
        ..row.clone()
    };
    assert_eq!(row, expected);
}

#[tokio::test]
async fn an_export_that_is_already_loaded_is_not_read_again() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", GOOD);
    scene.execute("2026-02-03").await.unwrap();
    let again = scene.execute("2026-02-04").await.unwrap();
    assert_eq!(again.counters, Counters::default());
    assert!(again.remarks[0].starts_with("no new CRM export: all 1 in file:///"), "{:?}", again.remarks);
}

#[tokio::test]
async fn an_export_counts_from_the_day_in_its_name_or_from_the_business_date() {
    let mut scene = Scene::new().await;
    scene.stage.loader.effective_offset_days = -1;
    scene.write("2025-12-31/companies_2026-02-01.csv", GOOD);
    scene.write("companies.csv", GOOD);
    scene.execute("2026-02-03").await.unwrap();
    assert!(scene.is_loaded("2025-12-31/companies_2026-02-01.csv", "2026-01-31").await);
    assert!(scene.is_loaded("companies.csv", "2026-02-03").await);
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_named_while_the_others_are_loaded() {
    let mut scene = Scene::new().await;
    scene.stage.loader.limits.max_shrink_share = 0.4;
    scene.write("a_2026-02-01.csv", GOOD);
    scene.write("b_2026-02-02.csv", "company_id,\"never closed\nacme,Acme\n");
    scene.write("c_2026-02-03.csv", "company_id,name\nacme,Acme\n");
    scene.write("d_2026-02-04.csv", "\nid,name\nacme,Acme\n");
    scene.write("e_2026-02-05.csv", "x".repeat(10_001));
    scene.write("f_2026-02-06.csv", format!("{GOOD}city,City\n"));

    let error = scene.execute("2026-02-07").await.unwrap_err();

    assert_eq!(error.kind, FailureKind::InvalidInput);
    for expected in [
        "4 of 6 CRM exports refused, the others are loaded; ",
        "; b_2026-02-02.csv: line 1: the header column 2 opens a quote that is never closed (a copy is kept as crm/archive/b_2026-02-02.csv/",
        "; c_2026-02-03.csv: 1 companies, 50 % fewer than the 2 of the snapshot of 2026-02-01",
        "; d_2026-02-04.csv: line 2: there is no column company_id, only id, name; if \"id\" is meant, use --crm-columns company_id=\"id\" (a copy is kept as crm/archive/d_2026-02-04.csv/",
        "; e_2026-02-05.csv: the file has 10001 bytes, more than the 10000 of --crm-max-file-bytes",
    ] {
        assert!(error.message.contains(expected), "{expected:?} is not in {}", error.message);
    }
    assert_eq!(scene.quarantine().await, [], "no row of a refused file is kept");
    for (copy, content) in scene.copies("b_2026-02-02.csv") {
        let name = copy.file_name().unwrap().to_str().unwrap();
        assert!(error.message.contains(name), "{name} is not in {}", error.message);
        assert!(content.contains("never closed"), "{content}");
    }
    assert_eq!(scene.copies("b_2026-02-02.csv").len(), 1);
    assert_eq!(scene.copies("e_2026-02-05.csv"), [], "what is too long is not even read");
    for (path, effective_on, expected) in [
        ("a_2026-02-01.csv", "2026-02-01", true),
        ("b_2026-02-02.csv", "2026-02-02", false),
        ("c_2026-02-03.csv", "2026-02-03", false),
        ("d_2026-02-04.csv", "2026-02-04", false),
        ("f_2026-02-06.csv", "2026-02-06", true),
    ] {
        assert_eq!(scene.is_loaded(path, effective_on).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_corrected_file_is_all_that_a_retry_reads() {
    let scene = Scene::new().await;
    scene.write("a_2026-02-01.csv", GOOD);
    scene.write("b_2026-02-02.csv", "no header\n");
    scene.execute("2026-02-03").await.unwrap_err();
    scene.write("b_2026-02-02.csv", GOOD);
    let outcome = scene.execute("2026-02-03").await.unwrap();
    assert_eq!((outcome.counters.rows_read, outcome.counters.rows_unchanged), (2, 2));
    assert!(outcome.remarks.is_empty(), "{:?}", outcome.remarks);
}

#[tokio::test]
async fn a_crm_without_any_export_does_not_cost_the_day_and_says_so() {
    let scene = Scene::new().await;
    let outcome = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(outcome.counters.rows_read, 0);
    assert!(outcome.remarks[0].starts_with("there is no CRM export (*.csv) in file:///"), "{outcome:?}");
}

#[tokio::test]
async fn a_file_that_is_replaced_while_the_stage_runs_is_worth_a_retry() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", GOOD);
    let path = scene.folder.path().join("crm/companies_2026-02-01.csv");
    // A file's first progress report comes between its listing and its reading.
    let replace = Mutex::new(Some(move || fs::write(path, "company_id\nother\n").unwrap()));
    let run = scene.hold("2026-02-03").await;
    let progress: ProgressSink = Arc::new(move |_| {
        if let Some(replace) = replace.lock().unwrap().take() {
            replace();
        }
    });
    let error = scene.execute_in(&run, progress).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Conflict);
    run.cancel().await;
    assert_eq!(scene.execute("2026-02-03").await.unwrap().counters.rows_written, 1);
}

#[tokio::test]
async fn progress_counts_files_rows_and_bytes() {
    let scene = Scene::new().await;
    scene.write("a_2026-02-01.csv", GOOD);
    scene.write("b_2026-02-02.csv", "company_id,name\n,nobody\nacme,Acme\n");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let run = scene.hold("2026-02-03").await;
    let sink = Arc::clone(&seen);
    scene.execute_in(&run, Arc::new(move |progress| sink.lock().unwrap().push(progress))).await.unwrap();

    let seen = seen.lock().unwrap();
    let files: Vec<(u64, u64, &str)> = {
        let mut files: Vec<_> =
            seen.iter().map(|p| (p.units_done, p.units_total, p.activity.as_str())).collect();
        files.dedup();
        files
    };
    assert_eq!(files, [(0, 2, "a_2026-02-01.csv"), (1, 2, "b_2026-02-02.csv"), (2, 2, "")]);
    let last_of_second = seen.iter().rev().nth(1).unwrap().counters;
    assert_eq!((last_of_second.rows_read, last_of_second.rows_rejected), (4, 1));
    assert!(seen.windows(2).all(|pair| pair[0].counters.bytes_read <= pair[1].counters.bytes_read));
}

#[tokio::test]
async fn a_file_that_is_overwritten_leaves_a_copy_of_each_content() {
    let scene = Scene::new().await;
    let path = "2026/companies_2026-02-01.csv";
    scene.write(path, GOOD);
    scene.execute("2026-02-03").await.unwrap();
    let overwritten = "company_id,name\r\nacme,\"Acme\r\nInc\"\r\n";
    scene.write(path, overwritten);
    scene.execute("2026-02-03").await.unwrap();
    let contents: BTreeSet<String> = scene.copies(path).into_iter().map(|(_, content)| content).collect();
    assert_eq!(contents, BTreeSet::from([GOOD.to_owned(), overwritten.to_owned()]));
}

#[tokio::test]
async fn a_copy_that_is_there_already_is_loaded_and_not_overwritten() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", GOOD);
    let file = scene.stage.storage.info("companies_2026-02-01.csv").await.unwrap().unwrap();
    let chunks = scene.stage.storage.read(&file).await.unwrap();
    let copy = scene.stage.loader.archive.keep(&file, chunks).await.unwrap();
    let path = scene.folder.path().join("landing").join(copy.path);
    // Differs from the source, to show which of the two is loaded.
    fs::write(&path, "company_id,name\nacme,Acme\n").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();

    let outcome = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(outcome.counters.rows_read, 1);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
    assert_eq!(scene.copies("companies_2026-02-01.csv").len(), 1);
}

#[tokio::test]
async fn a_stage_that_ends_anywhere_leaves_a_whole_copy_or_none() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", GOOD);
    let mut copies = vec![];
    for polls in 1.. {
        let run = scene.hold("2026-02-03").await;
        let fence = run.begin(STAGE_COPY_CRM_CSV).await;
        let stage = scene.stage.execute(call(&run, &fence), Arc::new(|_| ()));
        let outcome = interrupted_after(polls, stage).await;
        run.settle(&fence).await;
        run.cancel().await;
        copies.push(scene.copies("companies_2026-02-01.csv").len());
        for (_, content) in scene.copies("companies_2026-02-01.csv") {
            assert_eq!(content, GOOD, "after {polls} polls");
        }
        if let Some(outcome) = outcome {
            outcome.unwrap();
            break;
        }
    }
    assert!(copies.is_sorted() && copies.first() == Some(&0) && copies.last() == Some(&1), "{copies:?}");
    assert!(scene.is_loaded("companies_2026-02-01.csv", "2026-02-01").await);
}

#[tokio::test]
async fn a_call_out_of_order_changes_nothing() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", GOOD);
    let run = scene.hold("2026-02-03").await;
    let mut fence = run.begin(STAGE_COPY_CRM_CSV).await;
    fence.epoch += 1;
    let error = scene.stage.execute(call(&run, &fence), Arc::new(|_| ())).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::FailedPrecondition);
    assert!(!scene.is_loaded("companies_2026-02-01.csv", "2026-02-01").await);
    assert_eq!(scene.copies("companies_2026-02-01.csv"), []);
}
