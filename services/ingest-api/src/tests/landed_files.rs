//! A day in the landing, written and read back.

use std::fs;

use domain::{Counters, Rejection, RejectionReason, SourceRow};
use futures::TryStreamExt;
use landing::Storage;
use tempfile::TempDir;

use super::{
    pipeline::files_below,
    scripted_api::{ScriptedApi, json, page_of, record, some_records, status},
    setup::{DAY, day, default_reading, session},
};
use crate::{
    error::Error,
    progress::ProgressMeter,
    usage_file::{LandedDay, land, usage_rows},
};

const PATH: &str = "product_usage/2026-01-05/usage_2026-01-05.json";

struct Landing {
    folder: TempDir,
    storage: Storage,
    meter: ProgressMeter,
}

impl Landing {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let storage = Storage::open(&format!("file://{}/", folder.path().display())).unwrap();
        Self { folder, storage, meter: ProgressMeter::new(1, std::sync::Arc::new(|_| ())) }
    }

    async fn land(&self, server: &ScriptedApi, flags: &[&str]) -> Result<LandedDay, Error> {
        land(&self.storage, &session(&server.url, flags), day(DAY), &self.meter).await
    }

    /// Every file below the root, finished or not.
    fn files(&self) -> Vec<String> {
        files_below(self.folder.path())
    }
}

#[tokio::test]
async fn a_day_lands_as_one_file_of_its_records_verbatim() {
    let held = [
        r#"{"company_id": 7, "date":"2026-01-05","active_users":1,"events":2,"more":{"x":1.50}}"#.to_owned(),
        record("b", DAY, 3, 4),
        r#""no record""#.to_owned(),
    ];
    let script = held.clone();
    let server = ScriptedApi::start(move |asked| page_of(&script, asked)).await;
    let landing = Landing::new();
    let landed = landing.land(&server, &["--page-size=2"]).await.unwrap();
    let delivery = landed.delivery();
    let text = fs::read_to_string(landing.folder.path().join(PATH)).unwrap();
    assert_eq!(text, held.map(|record| record + "\n").concat());
    assert_eq!(delivery.landing_path.as_deref(), Some(PATH));
    assert_eq!((delivery.bytes, landed.records), (text.len() as u64, 3));
    assert_eq!(delivery.page_ends, [2, 3]);
    assert!(landing.meter.counters().bytes_read > delivery.bytes, "the envelopes count too");
}

#[tokio::test]
async fn a_day_without_records_uploads_nothing() {
    let server = ScriptedApi::start(|_| json(r#"{"data":[]}"#)).await;
    let landing = Landing::new();
    let landed = landing.land(&server, &[]).await.unwrap();
    assert_eq!(landed, LandedDay { day: day(DAY), file: None, records: 0, page_ends: vec![0] });
    assert_eq!(landing.files(), [""; 0]);
    let rows: Vec<_> =
        usage_rows(&landing.storage, &landed, default_reading()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows, []);
}

#[tokio::test]
async fn a_page_that_fails_leaves_the_file_that_was_there() {
    let first = some_records(DAY, 3);
    let script = first.clone();
    let good = ScriptedApi::start(move |asked| page_of(&script, asked)).await;
    let broken = ScriptedApi::start(|asked| match asked.page {
        1 | 2 => page_of(&some_records(DAY, 9), asked),
        _ => status(400),
    })
    .await;
    let landing = Landing::new();
    landing.land(&broken, &["--page-size=2"]).await.unwrap_err();
    assert_eq!(landing.files(), [""; 0]);
    landing.land(&good, &["--page-size=2"]).await.unwrap();
    landing.land(&broken, &["--page-size=2"]).await.unwrap_err();
    let text = fs::read_to_string(landing.folder.path().join(PATH)).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), first);
    assert_eq!(landing.files().len(), 1);
}

#[tokio::test]
async fn what_is_read_back_separates_good_records_from_bad_ones_by_line() {
    let bad = r#"{"company_id":"b","date":"2026-01-05","active_users":"five","events":1}"#;
    let server =
        ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), bad, &record("c", DAY, 0, 0)])]).await;
    let landing = Landing::new();
    let landed = landing.land(&server, &[]).await.unwrap();
    let rows: Vec<_> =
        usage_rows(&landing.storage, &landed, default_reading()).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(&rows[0], SourceRow::Accepted { line: 1, row } if row.company_id.as_str() == "a"));
    assert!(
        matches!(
            &rows[1],
            SourceRow::Rejected(Rejection { line: 2, raw, reason: RejectionReason::Field { field: "active_users", .. }, .. })
                if raw == bad
        ),
        "{rows:?}"
    );
    assert!(matches!(&rows[2], SourceRow::Accepted { line: 3, row } if row.company_id.as_str() == "c"));
}

#[tokio::test]
async fn a_file_that_lost_a_record_is_not_believed() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2)])]).await;
    let landing = Landing::new();
    let landed = landing.land(&server, &[]).await.unwrap();
    let short = LandedDay { records: 2, ..landed.clone() };
    let rows = usage_rows(&landing.storage, &short, default_reading()).await.unwrap();
    let error = rows.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.message.ends_with("holds 1 records, but 2 were landed"), "{}", error.message);
}

#[test]
fn bytes_count_where_they_leave_the_source() {
    let meter = ProgressMeter::new(1, std::sync::Arc::new(|_| ()));
    meter.page_fetched(crate::PageRef { day: day(DAY), page: 1 }, 100);
    meter.day_loaded(
        day(DAY),
        Counters { rows_read: 1, rows_written: 1, bytes_read: 90, ..Counters::default() },
    );
    let expected = Counters { rows_read: 1, rows_written: 1, bytes_read: 100, ..Counters::default() };
    assert_eq!(meter.counters(), expected);
}
