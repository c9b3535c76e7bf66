//! The reconciliation over gRPC, against published rows.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::DateWindow;
use futures::TryStreamExt;
use proto::reconciliation::v1::{
    DifferenceCount, DifferenceKind, Mismatch, ReconcileRequest, ReconcileResponse, ReconciliationSummary,
    UsageNumbers, reconcile_response::Update,
};
use runtime::Clock;
use tonic::{Code, Status};
use warehouse::{HeldDay, ReconciliationReader, SharedWarehouse};

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, record, status},
    setup::{DAY, clock},
};
use crate::{reconcile::Reconciler, reconcile_message};

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
) -> Result<Found, Status> {
    ask(pipeline, server, request(company_ids, end_date)).await
}

fn request(company_ids: &[&str], end_date: &str) -> ReconcileRequest {
    ReconcileRequest {
        company_ids: company_ids.iter().map(ToString::to_string).collect(),
        start_date: DAY.to_owned(),
        end_date: end_date.to_owned(),
        ..ReconcileRequest::default()
    }
}

/// What a reconciliation reports.
#[derive(Debug, Clone, PartialEq, Default)]
struct Found {
    progress: Vec<String>,
    mismatches: Vec<Mismatch>,
    summary: Option<ReconciliationSummary>,
}

async fn ask(pipeline: &Pipeline, server: &ScriptedApi, request: ReconcileRequest) -> Result<Found, Status> {
    let (mut client, _serving) = pipeline.reconciliation(server);
    let mut stream = client.reconcile(request).await?.into_inner();
    let mut found = Found::default();
    while let Some(ReconcileResponse { update }) = stream.message().await? {
        assert_eq!(found.summary, None, "the summary is the last message");
        match update.unwrap() {
            Update::Progress(step) => {
                found.progress.push(format!("{}/{} {}", step.units_done, step.units_total, step.activity));
            }
            Update::Mismatch(mismatch) => found.mismatches.push(mismatch),
            Update::Summary(summary) => found.summary = Some(summary),
        }
    }
    Ok(found)
}

/// A difference as company, day, kind, what is published and what the source has.
type Brief = (String, String, DifferenceKind, Option<(i32, i64)>, Option<(i32, i64)>);

impl Found {
    fn brief(&self) -> Vec<Brief> {
        let numbers = |numbers: Option<UsageNumbers>| numbers.map(|it| (it.active_users, it.events));
        let brief = |found: &Mismatch| {
            let (published, source) = (numbers(found.published), numbers(found.source));
            (found.company_id.clone(), found.activity_date.clone(), found.kind(), published, source)
        };
        self.mismatches.iter().map(brief).collect()
    }

    /// The company-days compared and different, and the unreadable records.
    fn totals(&self) -> (u64, u64, u64) {
        let summary = self.summary.as_ref().unwrap();
        (summary.compared, summary.mismatches, summary.invalid_records)
    }
}

fn brief(
    company_id: &str,
    day: &str,
    kind: DifferenceKind,
    published: Option<(i32, i64)>,
    source: Option<(i32, i64)>,
) -> Brief {
    (company_id.to_owned(), day.to_owned(), kind, published, source)
}

#[tokio::test]
async fn every_difference_is_reported_with_its_kind_and_zeros_equal_a_missing_record() {
    let now = [record("added", DAY, 7, 8), record("corrected", DAY, 1, 3), record("same", DAY, 5, 6)];
    let now: Vec<&str> = now.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &now), (OTHER_DAY, &[&record("same", OTHER_DAY, 1, 1)])]).await;
    let pipeline = published().await;
    let found = reconcile(&pipeline, &server, &[], OTHER_DAY).await.unwrap();
    assert_eq!(
        found.brief(),
        [
            brief("added", DAY, DifferenceKind::LateAtSource, None, Some((7, 8))),
            brief("corrected", DAY, DifferenceKind::CorrectedAtSource, Some((1, 2)), Some((1, 3))),
            brief("gone", DAY, DifferenceKind::ExtraHere, Some((3, 4)), None),
            brief("same", OTHER_DAY, DifferenceKind::MissingHere, None, Some((1, 1))),
        ]
    );
    assert_eq!(found.totals(), (6, 4, 0));
    assert_eq!(
        found.summary.unwrap().by_kind,
        [
            DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 1 },
            DifferenceCount { kind: DifferenceKind::CorrectedAtSource.into(), count: 1 },
            DifferenceCount { kind: DifferenceKind::MissingHere.into(), count: 1 },
            DifferenceCount { kind: DifferenceKind::ExtraHere.into(), count: 1 },
        ]
    );
    let steps = ["0/2 2026-01-05", "1/2 2026-01-05 compared", "2/2 2026-01-06 compared"];
    assert_eq!(found.progress, steps);
}

#[tokio::test]
async fn ours_is_shown_with_the_file_the_line_and_the_page_that_it_came_from() {
    let now = [record("corrected", DAY, 1, 3), record("same", DAY, 5, 6), record("late", DAY, 1, 1)];
    let now: Vec<&str> = now.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &now)]).await;
    let pipeline = published().await;
    let fetched =
        pipeline.warehouse.usage_days(DateWindow::parse(DAY, DAY).unwrap()).await.unwrap().remove(0);
    let found = reconcile(&pipeline, &server, &[], DAY).await.unwrap();
    let places: Vec<_> = found
        .mismatches
        .iter()
        .map(|mismatch| {
            let landed = mismatch.landed.clone().unwrap();
            assert_eq!(landed.path, "product_usage/2026-01-05/usage_2026-01-05.json");
            assert_eq!(landed.run_id, fetched.run_id.to_string());
            assert_eq!(landed.fetch_time.unwrap().seconds, fetched.fetched_at.timestamp());
            (mismatch.company_id.as_str(), landed.line, landed.page)
        })
        .collect();
    // Two records a page; the late one stands nowhere.
    assert_eq!(places, [("corrected", 1, 1), ("gone", 2, 1), ("late", 0, 0)]);
    assert_eq!(found.mismatches[0].staged, Some(UsageNumbers { active_users: 1, events: 2 }));
    assert_eq!(
        found.mismatches[0].explanation,
        "the source said active_users 1, events 2 when the day was last fetched, and says active_users 1, \
         events 3 now"
    );
}

#[tokio::test]
async fn a_landed_file_that_is_gone_or_replaced_is_no_witness() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("corrected", DAY, 1, 3)])]).await;
    let pipeline = published().await;
    let expected = [
        brief("corrected", DAY, DifferenceKind::CorrectedAtSource, Some((1, 2)), Some((1, 3))),
        brief("gone", DAY, DifferenceKind::ExtraHere, Some((3, 4)), None),
        brief("same", DAY, DifferenceKind::ExtraHere, Some((5, 6)), None),
    ];
    let landed = pipeline.landed_path(DAY);
    fs::write(&landed, record("corrected", DAY, 1, 3) + "\n").unwrap();
    for _ in 0..2 {
        let found = reconcile(&pipeline, &server, &[], DAY).await.unwrap();
        assert_eq!(found.brief(), expected);
        let places = found.mismatches.iter().map(|mismatch| mismatch.landed.as_ref().unwrap());
        assert!(places.into_iter().all(|place| (place.line, place.page) == (0, 0)));
        // The next round finds no file at all.
        let _ = fs::remove_file(&landed);
    }
}

#[tokio::test]
async fn a_later_answer_of_equal_length_that_was_not_loaded_is_no_witness() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("corrected", DAY, 1, 3)])]).await;
    let pipeline = published().await;
    let landed = pipeline.landed_path(DAY);
    let loaded = fs::read_to_string(&landed).unwrap();
    // As a fetch that was refused leaves it.
    fs::write(&landed, loaded.replace(&record("corrected", DAY, 1, 2), &record("corrected", DAY, 1, 3)))
        .unwrap();
    let found = reconcile(&pipeline, &server, &["corrected"], DAY).await.unwrap();
    let expected = [brief("corrected", DAY, DifferenceKind::CorrectedAtSource, Some((1, 2)), Some((1, 3)))];
    assert_eq!(found.brief(), expected);
    assert!(!found.mismatches[0].needs_rebuild);
}

#[tokio::test]
async fn what_cannot_be_read_is_never_taken_for_zero() {
    let unreadable = r#"{"company_id":"corrected","date":"2026-01-05","active_users":"many","events":3}"#;
    let server = ScriptedApi::holding(&[(DAY, &[unreadable, "17", &record("same", DAY, 5, 6)])]).await;
    let found = reconcile(&published().await, &server, &[], DAY).await.unwrap();
    assert_eq!(
        found.brief(),
        [
            brief("corrected", DAY, DifferenceKind::Quarantined, Some((1, 2)), None),
            brief("gone", DAY, DifferenceKind::Quarantined, Some((3, 4)), None),
        ]
    );
    assert_eq!(found.totals(), (4, 2, 2));
    let explained = [&found.mismatches[0].explanation, &found.mismatches[1].explanation];
    assert!(explained[0].contains("active_users: \"many\" is not an integer"), "{explained:?}");
    assert!(explained[1].contains("1 of its records do not even show a company"), "{explained:?}");
}

#[tokio::test]
async fn only_the_asked_companies_are_compared() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("added", DAY, 7, 8)])]).await;
    let pipeline = published().await;
    let one = reconcile(&pipeline, &server, &["gone"], DAY).await.unwrap();
    assert_eq!(one.brief(), [brief("gone", DAY, DifferenceKind::ExtraHere, Some((3, 4)), None)]);
    assert_eq!(one.totals(), (1, 1, 0));
    let two = reconcile(&pipeline, &server, &["same", "silent"], DAY).await.unwrap();
    assert_eq!(two.brief(), [brief("same", DAY, DifferenceKind::ExtraHere, Some((5, 6)), None)]);
    assert_eq!(two.totals(), (2, 1, 0));
}

#[tokio::test]
async fn a_sample_is_drawn_from_both_sides_and_stays_the_same() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("added", DAY, 7, 8)])]).await;
    let pipeline = published().await;
    let sampled = async |sample_size, seed: &str| {
        let request = ReconcileRequest { sample_size, sample_seed: seed.to_owned(), ..request(&[], DAY) };
        ask(&pipeline, &server, request).await.unwrap()
    };
    let (first, second) = (sampled(2, "").await, sampled(2, "").await);
    assert_eq!(first, second);
    assert_eq!(first.totals().0, 2);
    assert_eq!(sampled(5, "").await.brief(), reconcile(&pipeline, &server, &[], DAY).await.unwrap().brief());
    let mut seen = std::collections::BTreeSet::new();
    for seed in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        seen.extend(sampled(1, seed).await.mismatches.into_iter().map(|mismatch| mismatch.company_id));
    }
    // The fifth, which is silent, matches.
    assert!(seen.contains("added") && seen.len() >= 3, "{seen:?}");
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

/// A warehouse into which a run loads the day while it is being fetched, `loads` times.
struct Overtaken {
    warehouse: SharedWarehouse,
    loads: AtomicU32,
}

#[async_trait]
impl ReconciliationReader for Overtaken {
    async fn held_day(&self, day: NaiveDate) -> warehouse::Result<HeldDay> {
        let mut held = self.warehouse.held_day(day).await?;
        let left = self.loads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if let (Ok(_), Some(fetched)) = (left, &mut held.fetched) {
            fetched.fetched_at = clock().now() + chrono::TimeDelta::seconds(1);
        }
        Ok(held)
    }
}

#[tokio::test]
async fn a_day_that_a_run_loads_in_the_meantime_is_fetched_again_a_few_times() {
    let server = ScriptedApi::holding(&[(DAY, &[&record("gone", DAY, 3, 4)])]).await;
    let pipeline = published().await;
    let mut fetched = Vec::new();
    for loads in [0, 1, 9] {
        let before = server.requests().len();
        let stage = pipeline.stage(&server, &[]);
        let held = Overtaken { warehouse: pipeline.warehouse.clone(), loads: loads.into() };
        let reconciler = Reconciler {
            api: stage.api,
            storage: stage.storage,
            held: Arc::new(held),
            clock: Arc::new(clock()),
        };
        let asked = reconcile_message::parse(&request(&[], DAY)).unwrap();
        reconciler.reconcile(asked).unwrap().try_collect::<Vec<_>>().await.unwrap();
        fetched.push(server.requests().len() - before);
    }
    assert_eq!(fetched, [fetched[0], 2 * fetched[0], 3 * fetched[0]]);
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
