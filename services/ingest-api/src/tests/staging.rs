//! The stage from the API to `stg_product_usage`.

use axum::response::Response;
use domain::{Counters, DateWindow, FailureKind};
use runtime::Clock;
use warehouse::{Fence, QuarantineFilter};

use warehouse::inspection::StagingInspector;

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, endless, json, page_of, record, some_records, status},
    setup::{DAY, clock},
};

const FILE: &str = "product_usage/2026-01-05/usage_2026-01-05.json";

fn window(start: &str, end: &str) -> DateWindow {
    DateWindow::parse(start, end).unwrap()
}

fn the_day() -> DateWindow {
    window(DAY, DAY)
}

#[tokio::test]
async fn a_day_is_fetched_landed_and_staged() {
    let server = ScriptedApi::holding(&[(
        DAY,
        &[&record("a", DAY, 1, 2), &record("b", DAY, 3, 4), &record("c", DAY, 0, 0)],
    )])
    .await;
    let pipeline = Pipeline::new().await;
    let outcome = pipeline.ingest(&server, the_day()).await.unwrap();
    let Counters { rows_read, rows_written, .. } = outcome.counters;
    assert_eq!((rows_read, rows_written), (3, 3));
    assert_eq!(pipeline.landed_files(), [FILE]);
    let staged = pipeline.staged(window("2025-12-01", "2026-01-31")).await;
    assert_eq!(staged.len(), 14, "the day, and the 13 before that its fact reads");
    assert_eq!(staged.last(), Some(&(DAY.to_owned(), 3)));
    assert_eq!(outcome.remarks.first().unwrap(), "2025-12-23: no records, nothing uploaded");
    assert_eq!(outcome.remarks.len(), 13);
}

#[tokio::test]
async fn a_redelivered_day_changes_nothing() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), &record("b", DAY, 3, 4)])]).await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&server, the_day()).await.unwrap();
    let again = pipeline.ingest(&server, the_day()).await.unwrap().counters;
    assert_eq!((again.rows_read, again.rows_unchanged, again.rows_removed), (2, 2, 0));
}

#[tokio::test]
async fn late_data_is_found_by_polling_again() {
    let before = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), &record("b", DAY, 3, 4)])]).await;
    let after = ScriptedApi::holding(&[
        (DAY, &[&record("a", DAY, 1, 5), &record("c", DAY, 1, 1)]),
        ("2026-01-07", &[&record("a", "2026-01-07", 1, 1)]),
    ])
    .await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&before, the_day()).await.unwrap();
    let counters = pipeline.ingest(&after, window("2026-01-07", "2026-01-07")).await.unwrap().counters;
    assert_eq!((counters.rows_written, counters.rows_removed, counters.rows_unchanged), (3, 1, 0));
    assert_eq!(pipeline.staged(the_day()).await, [(DAY.to_owned(), 2)]);
}

#[tokio::test]
async fn bad_and_contradicting_records_go_into_quarantine_with_their_origin() {
    let records = [
        record("a", DAY, 1, 2),
        record("a", DAY, 1, 2),
        record("b", DAY, 1, 1),
        r#"{"company_id":"x","date":"2026-01-05","active_users":null,"events":1}"#.to_owned(),
        record("b", DAY, 9, 9),
    ];
    let server = ScriptedApi::start(move |asked| {
        if asked.start_date == DAY { page_of(&records, asked) } else { json(r#"{"data":[]}"#) }
    })
    .await;
    let pipeline = Pipeline::new().await;
    let outcome = pipeline.ingest(&server, the_day()).await.unwrap();
    let Counters { rows_read, rows_written, rows_duplicate, rows_rejected, .. } = outcome.counters;
    assert_eq!((rows_read, rows_written, rows_duplicate, rows_rejected), (5, 2, 1, 2));
    assert_eq!(outcome.remarks.last().unwrap(), "2026-01-05: 2 of 5 records rejected, see the quarantine");
    let quarantined = pipeline.inspector().await.quarantined_rows(None, 10).await.unwrap();
    let found: Vec<_> =
        quarantined.iter().map(|row| (row.origin.as_str(), row.line, row.reason.as_str())).collect();
    assert_eq!(
        found,
        [
            (FILE, 3, "superseded by line 5, which gives the same key other values"),
            (FILE, 4, "active_users: null is not an integer of at most 64 bits"),
        ]
    );
}

#[tokio::test]
async fn a_replayed_day_is_fetched_again_wherever_it_lies() {
    let torn = r#"{"company_id":"b","date":"2026-01-05","active_users":"many","events":1}"#;
    let before = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), torn])]).await;
    let after = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), &record("b", DAY, 3, 1)])]).await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&before, the_day()).await.unwrap();
    let later = window("2026-01-20", "2026-01-20");
    pipeline.ingest(&after, later).await.unwrap();
    assert_eq!(pipeline.staged(the_day()).await, [(DAY.to_owned(), 1)]);

    let asked = pipeline.warehouse.request_replay(&QuarantineFilter::default(), clock().now()).await.unwrap();
    assert_eq!(asked.len(), 1);
    pipeline.ingest(&after, later).await.unwrap();
    assert_eq!(pipeline.staged(the_day()).await, [(DAY.to_owned(), 2)]);
    assert_eq!(pipeline.warehouse.usage_replays().await.unwrap(), []);
    assert_eq!(pipeline.inspector().await.quarantined_rows(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_replayed_day_that_is_not_answered_does_not_fail_the_next_runs() {
    let torn = r#"{"company_id":"b","date":"2026-01-05","active_users":"many","events":1}"#;
    let before = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), torn])]).await;
    let (gone, senseless) = (
        ScriptedApi::start(|asked| status_of_day(&asked.start_date, || status(404))).await,
        ScriptedApi::start(|asked| status_of_day(&asked.start_date, || json("{}"))).await,
    );
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&before, the_day()).await.unwrap();
    let later = window("2026-01-20", "2026-01-20");
    for (server, fails) in [(&gone, false), (&senseless, true)] {
        pipeline.warehouse.request_replay(&QuarantineFilter::default(), clock().now()).await.unwrap();
        assert_eq!(pipeline.ingest(server, later).await.is_err(), fails);
        assert_eq!(pipeline.warehouse.usage_replays().await.unwrap(), []);
        pipeline.ingest(server, later).await.unwrap();
    }
    assert_eq!(pipeline.staged(the_day()).await, [(DAY.to_owned(), 1)]);
}

/// The answer for [`DAY`]; other days have no records.
fn status_of_day(asked: &str, of_day: impl FnOnce() -> Response) -> Response {
    if asked == DAY { of_day() } else { json(r#"{"data":[]}"#) }
}

#[tokio::test]
async fn an_empty_answer_for_a_known_day_is_not_believed() {
    let full = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2)])]).await;
    let empty = ScriptedApi::holding(&[]).await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&full, the_day()).await.unwrap();
    let error = pipeline.ingest(&empty, the_day()).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::InvalidInput);
    assert!(error.message.contains(DAY), "{error}");
    assert_eq!(pipeline.staged(the_day()).await, [(DAY.to_owned(), 1)]);
    assert_eq!(pipeline.landed_files(), [FILE]);
}

#[tokio::test]
async fn a_page_that_fails_leaves_its_day_untouched_and_keeps_the_days_before() {
    let two_days = window(DAY, "2026-01-06");
    let server = ScriptedApi::start(|asked| match (asked.start_date.as_str(), asked.page) {
        (DAY, _) => page_of(&some_records(DAY, 3), asked),
        ("2026-01-06", 1) => page_of(&some_records("2026-01-06", 3), asked),
        ("2026-01-06", _) => status(500),
        _ => json(r#"{"data":[]}"#),
    })
    .await;
    let pipeline = Pipeline::new().await;
    let error = pipeline.ingest(&server, two_days).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Unavailable);
    assert!(error.message.starts_with("2026-01-06 page 2: "), "{error}");
    assert_eq!(pipeline.landed_files(), [FILE]);
    assert_eq!(pipeline.staged(two_days).await, [(DAY.to_owned(), 3)]);
}

#[tokio::test]
async fn a_call_out_of_order_asks_nobody_and_changes_nothing() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2)])]).await;
    let pipeline = Pipeline::new().await;
    let fence = pipeline.begin(the_day()).await;
    let stale = [
        Fence { epoch: fence.epoch - 1, ..fence.clone() },
        Fence { attempt: fence.attempt + 1, ..fence.clone() },
        Fence { run_id: uuid::Uuid::nil(), ..fence },
    ];
    for fence in stale {
        let stage = pipeline.stage(&server, &[]);
        let error = pipeline.execute(&stage, &fence, the_day()).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::FailedPrecondition, "{error}");
    }
    assert_eq!(server.requests(), []);
    assert_eq!(pipeline.landed_files(), [""; 0]);
}

#[tokio::test]
async fn progress_counts_days_and_bytes_up_to_the_outcome() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2), &record("b", DAY, 1, 2)])]).await;
    let pipeline = Pipeline::new().await;
    let outcome = pipeline.ingest(&server, the_day()).await.unwrap();
    let steps = pipeline.progress.lock().unwrap().clone();
    let last = steps.last().unwrap();
    assert_eq!((last.units_done, last.units_total), (14, 14));
    assert_eq!(last.counters, outcome.counters);
    assert!(steps.is_sorted_by_key(|step| (step.units_done, step.counters.bytes_read)));
    assert!(steps.iter().any(|step| step.activity == "2026-01-05 page 2"), "{steps:?}");
}

#[tokio::test]
async fn days_are_fetched_side_by_side_and_a_dropped_call_leaves_nothing_behind() {
    let stuck = ScriptedApi::start(|_| endless()).await;
    let pipeline = Pipeline::new().await;
    let fence = pipeline.begin(the_day()).await;
    let stage = pipeline.stage(&stuck, &["--product-api-concurrency=3"]);
    tokio::select! {
        outcome = pipeline.execute(&stage, &fence, the_day()) => panic!("the stage ended: {outcome:?}"),
        () = stuck.asked(3) => {}
    }
    let days: Vec<String> = stuck.requests().into_iter().map(|asked| asked.start_date).collect();
    assert_eq!(days.len(), 3, "{days:?}");
    assert_eq!(pipeline.staged(window("2025-12-01", DAY)).await, []);
    assert_eq!(pipeline.landed_files(), [""; 0]);

    let server = ScriptedApi::holding(&[(DAY, &[&record("a", DAY, 1, 2)])]).await;
    let again = pipeline.stage(&server, &[]);
    let outcome = pipeline.execute(&again, &fence, the_day()).await.unwrap();
    assert_eq!(outcome.counters.rows_written, 1);
}
