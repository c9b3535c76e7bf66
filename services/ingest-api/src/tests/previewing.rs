//! Previews over gRPC, against published rows.

use std::collections::BTreeSet;

use contract::message::window_to_proto;
use domain::DateWindow;
use proto::{
    activity::v1::CompanyActivity,
    reconciliation::v1::{
        CompanyDayChange, PreviewCounts, PreviewRequest, PreviewResponse, PreviewSummary,
        preview_response::Update,
    },
};
use tonic::{Code, Status};

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, page_of, record, some_records, status},
    setup::DAY,
};

const NEXT_DAY: &str = "2026-01-06";

struct Previewed {
    changes: Vec<CompanyDayChange>,
    summary: PreviewSummary,
}

async fn preview(
    pipeline: &Pipeline,
    server: &ScriptedApi,
    windows: &[(&str, &str)],
) -> Result<Previewed, Status> {
    let windows =
        windows.iter().map(|(start, end)| window_to_proto(DateWindow::parse(start, end).unwrap())).collect();
    let (mut client, _serving) = pipeline.reconciliation(server);
    let mut stream = client.preview(PreviewRequest { windows, sample_size: 10 }).await?.into_inner();
    let mut changes = Vec::new();
    while let Some(PreviewResponse { update }) = stream.message().await? {
        match update.unwrap() {
            Update::Progress(_) => {}
            Update::Change(change) => changes.push(change),
            Update::Summary(summary) => return Ok(Previewed { changes, summary }),
        }
    }
    panic!("no summary");
}

/// A pipeline that has published [`DAY`].
async fn published() -> Pipeline {
    let held = [record("corrected", DAY, 1, 2), record("gone", DAY, 3, 4), record("same", DAY, 5, 6)];
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &held)]).await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&server, DateWindow::parse(DAY, DAY).unwrap()).await.unwrap();
    pipeline
}

fn reported(row: Option<&CompanyActivity>) -> Option<(&str, &str, i32, i64)> {
    row.map(|row| (row.company_id.as_str(), row.activity_date.as_str(), row.active_users, row.events))
}

/// A record of an unknown company.
const TORN: &str = r#"{"company_id":"torn","date":"2026-01-05","active_users":"many","events":1}"#;

#[tokio::test]
async fn old_and_new_values_are_reported_and_nothing_changes() {
    let now = [record("corrected", DAY, 1, 9), record("corrected", DAY, 1, 3), record("same", DAY, 5, 6)];
    let now: Vec<&str> = now.iter().map(String::as_str).chain([TORN]).collect();
    let server = ScriptedApi::holding(&[(DAY, &now), (NEXT_DAY, &[&record("same", NEXT_DAY, 1, 1)])]).await;
    let pipeline = published().await;
    let (files, both) = (pipeline.landed_files(), DateWindow::parse("2025-12-01", NEXT_DAY).unwrap());
    let staged = pipeline.staged(both).await;
    let previewed = preview(&pipeline, &server, &[(DAY, DAY), (NEXT_DAY, NEXT_DAY)]).await.unwrap();

    let changes: Vec<_> = previewed
        .changes
        .iter()
        .map(|change| (reported(change.old_row.as_ref()), reported(change.new_row.as_ref())))
        .collect();
    assert_eq!(
        changes,
        [
            (Some(("corrected", DAY, 1, 2)), Some(("corrected", DAY, 1, 3))),
            (Some(("gone", DAY, 3, 4)), None),
            (None, Some(("corrected", NEXT_DAY, 0, 0))),
            (None, Some(("same", NEXT_DAY, 1, 1))),
        ]
    );
    let new_rows = previewed.changes.iter().filter_map(|change| change.new_row.as_ref());
    assert!(new_rows.into_iter().all(|row| row.loaded_at.is_none()));
    assert_eq!(
        previewed.summary.total,
        Some(PreviewCounts {
            new_days: 1,
            changed_days: 1,
            unchanged_days: 0,
            new_rows: 2,
            changed_rows: 1,
            gone_rows: 1,
            unchanged_rows: 1,
        })
    );
    // For the CRM, and for the invalid record.
    assert_eq!(previewed.summary.remarks.len(), 2, "{:?}", previewed.summary.remarks);
    // Three days are polled again.
    let asked: BTreeSet<String> = server.requests().into_iter().map(|asked| asked.start_date).collect();
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert_eq!((pipeline.landed_files(), pipeline.staged(both).await), (files, staged));
}

#[tokio::test]
async fn days_are_read_whole_however_many_pages_they_have() {
    let records = some_records(NEXT_DAY, 2_345);
    let server = ScriptedApi::start(move |asked| {
        page_of(if asked.start_date == NEXT_DAY { &records } else { &[] }, asked)
    })
    .await;
    let pipeline = published().await;
    let previewed = preview(&pipeline, &server, &[(NEXT_DAY, NEXT_DAY)]).await;
    // Re-polled days that had records and now have none are not believed.
    assert_eq!(previewed.err().unwrap().code(), Code::DataLoss);

    let empty = Pipeline::new().await;
    let previewed = preview(&empty, &server, &[(NEXT_DAY, NEXT_DAY)]).await.unwrap();
    assert_eq!(previewed.summary.total.unwrap().new_rows, 2_345);
    assert_eq!(previewed.changes.len(), 10);
}

#[tokio::test]
async fn a_source_that_fails_half_way_ends_the_preview_with_its_status() {
    let records = some_records(NEXT_DAY, 500);
    let server = ScriptedApi::start(move |asked| match (asked.start_date.as_str(), asked.page) {
        (NEXT_DAY, 3) => status(401),
        (NEXT_DAY, _) => page_of(&records, asked),
        _ => page_of(&[], asked),
    })
    .await;
    let error = preview(&Pipeline::new().await, &server, &[(NEXT_DAY, NEXT_DAY)]).await.err().unwrap();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(error.message().starts_with("2026-01-06 page 3: "), "{error}");
}
