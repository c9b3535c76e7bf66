//! The reconciliation over gRPC, against published rows.

use domain::DateWindow;
use proto::reconciliation::v1::{
    Mismatch, ReconcileRequest, ReconcileResponse, ReconciliationSummary, UsageNumbers,
    reconcile_response::Update,
};
use tonic::{Code, Status};

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, record, status},
    setup::DAY,
};

const OTHER_DAY: &str = "2026-01-06";

/// A pipeline that has published [`DAY`].
async fn published() -> Pipeline {
    let held = [
        record("corrected", DAY, 1, 2),
        record("gone", DAY, 3, 4),
        record("same", DAY, 5, 6),
        record("silent", DAY, 0, 0),
    ];
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &held)]).await;
    let pipeline = Pipeline::new().await;
    pipeline.ingest(&server, DateWindow::parse(DAY, DAY).unwrap()).await.unwrap();
    pipeline
}

async fn reconcile(
    pipeline: &Pipeline,
    server: &ScriptedApi,
    company_ids: &[&str],
    end_date: &str,
) -> Result<Vec<Update>, Status> {
    let (mut client, _serving) = pipeline.reconciliation(server);
    let request = ReconcileRequest {
        company_ids: company_ids.iter().map(ToString::to_string).collect(),
        start_date: DAY.to_owned(),
        end_date: end_date.to_owned(),
    };
    let mut stream = client.reconcile(request).await?.into_inner();
    let mut updates = Vec::new();
    while let Some(ReconcileResponse { update }) = stream.message().await? {
        updates.extend(update);
    }
    Ok(updates)
}

fn mismatch(
    company_id: &str,
    day: &str,
    published: Option<(i32, i64)>,
    source: Option<(i32, i64)>,
) -> Update {
    let numbers = |(active_users, events)| UsageNumbers { active_users, events };
    Update::Mismatch(Mismatch {
        company_id: company_id.to_owned(),
        activity_date: day.to_owned(),
        published: published.map(numbers),
        source: source.map(numbers),
    })
}

fn summary(compared: u64, mismatches: u64, invalid_records: u64) -> Update {
    Update::Summary(ReconciliationSummary { compared, mismatches, invalid_records })
}

#[tokio::test]
async fn every_difference_is_reported_and_zeros_equal_a_missing_record() {
    let now = [
        record("added", DAY, 7, 8),
        record("corrected", DAY, 1, 3),
        record("same", DAY, 5, 6),
        "17".to_owned(),
    ];
    let now: Vec<&str> = now.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &now), (OTHER_DAY, &[&record("same", OTHER_DAY, 1, 1)])]).await;
    let pipeline = published().await;
    let updates = reconcile(&pipeline, &server, &[], OTHER_DAY).await.unwrap();
    assert_eq!(
        updates,
        [
            mismatch("corrected", DAY, Some((1, 2)), Some((1, 3))),
            mismatch("gone", DAY, Some((3, 4)), None),
            mismatch("added", DAY, None, Some((7, 8))),
            mismatch("same", OTHER_DAY, None, Some((1, 1))),
            summary(6, 4, 1),
        ]
    );
}

#[tokio::test]
async fn only_the_asked_companies_are_compared() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("added", DAY, 7, 8)])]).await;
    let pipeline = published().await;
    let one = reconcile(&pipeline, &server, &["gone"], DAY).await.unwrap();
    assert_eq!(one, [mismatch("gone", DAY, Some((3, 4)), None), summary(1, 1, 0)]);
    let two = reconcile(&pipeline, &server, &["same", "silent"], DAY).await.unwrap();
    assert_eq!(two, [mismatch("same", DAY, Some((5, 6)), None), summary(2, 1, 0)]);
}

#[tokio::test]
async fn a_reconciliation_changes_nothing() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("added", DAY, 7, 8)])]).await;
    let pipeline = published().await;
    let files = pipeline.landed_files();
    let first = reconcile(&pipeline, &server, &[], DAY).await.unwrap();
    let second = reconcile(&pipeline, &server, &[], DAY).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(pipeline.landed_files(), files);
}

#[tokio::test]
async fn a_source_that_refuses_ends_the_stream_with_its_status() {
    let server = ScriptedApi::start(|_| status(401)).await;
    let error = reconcile(&published().await, &server, &[], DAY).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(error.message().starts_with("2026-01-05 page 1: "), "{error}");
}

#[tokio::test]
async fn too_many_days_are_refused() {
    let server = ScriptedApi::holding(&[]).await;
    let error = reconcile(&published().await, &server, &[], "2026-02-05").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(server.requests(), []);
}
