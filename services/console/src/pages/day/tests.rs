use proto::{
    activity::v1::{DayPublication, DayTotals, ListPublishedDaysResponse, Publication},
    monitoring::v1::{AuditLevel, AuditResult, MeasuredDay},
    pipeline::v1::{ReconcileRequest, ReconcileResponse, reconcile_response::Update},
    provenance::v1::{CrmDelivery, EventDelivery, UsageDelivery},
    reconciliation::v1::{DifferenceCount, DifferenceKind, Mismatch, ReconciliationSummary, UsageNumbers},
    stage::v1::StageProgress,
};
use tonic::Status;

use super::*;
use crate::scripted::{Script, Site};

const NOW: &str = "2026-03-01T06:00:00Z";

fn published() -> ListPublishedDaysResponse {
    let day = PublishedDay {
        publication: Some(Publication {
            activity_date: "2026-02-28".into(),
            run_id: "r1".into(),
            row_count: 100_000,
            ..Publication::default()
        }),
        checksum: "00c0ffee00c0ffee".into(),
        totals: Some(DayTotals { events: 1_234_567, ..DayTotals::default() }),
    };
    ListPublishedDaysResponse { days: vec![day] }
}

fn audit(audit: &str, level: AuditLevel, findings: &[&str], finding_count: u64) -> AuditResult {
    AuditResult {
        audit: audit.into(),
        level: level.into(),
        rule: "at most 5 % fewer".into(),
        findings: findings.iter().map(|&finding| finding.to_owned()).collect(),
        finding_count,
    }
}

fn script() -> Script {
    let sources = GetDaySourcesResponse {
        usage: Some(UsageDelivery {
            run_id: "r1".into(),
            landing_path: "usage/<b>.json".into(),
            bytes: 2_048,
            pages: 12,
            quarantined_records: 3,
            ..UsageDelivery::default()
        }),
        crm: Some(CrmDelivery {
            export_path: "crm.csv".into(),
            quarantined_rows: 1,
            ..CrmDelivery::default()
        }),
        events: vec![EventDelivery { path: "events/a.ndjson".into(), ..EventDelivery::default() }],
    };
    let audits = ListAuditResultsResponse {
        run_id: "r1".into(),
        results: vec![
            audit("row_count", AuditLevel::Block, &[], 0),
            audit("volume", AuditLevel::Warn, &["<script>alert(1)</script> fell"], 250),
            audit("nulls", AuditLevel::Off, &[], 0),
            // Of a newer release.
            AuditResult { level: 99, ..audit("novelty", AuditLevel::Warn, &["strange"], 1) },
        ],
        days: vec![MeasuredDay {
            activity_date: "2026-02-28".into(),
            rows: 100_000,
            recent_median_source_rows: Some(98.5),
            ..MeasuredDay::default()
        }],
        ..ListAuditResultsResponse::default()
    };
    let history = ListPublicationsResponse {
        publications: vec![
            DayPublication {
                run_id: "r1".into(),
                row_count: 100_000,
                replaced_rows: 17,
                ..DayPublication::default()
            },
            DayPublication { run_id: "r0".into(), is_taken_back: true, ..DayPublication::default() },
        ],
        next_page_token: "older".into(),
        history_since: None,
    };
    Script::new()
        .answers("ListPublishedDays", &published())
        .answers("GetDaySources", &sources)
        .answers("ListAuditResults", &audits)
        .answers("ListPublications", &history)
}

#[tokio::test]
async fn a_day_says_what_is_published_and_what_it_is_made_of() {
    let page = script().site(NOW).get("/days/2026-02-28").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "1,234,567",
        "00c0ffee00c0ffee",
        "usage/&lt;b&gt;.json",
        r#"href="/quality?origin=crm.csv&amp;state=all">1 row<"#,
        "events/a.ndjson",
        ">passed<",
        ">warned<",
        ">found something<",
        ">off<",
        "at most 5 % fewer",
        "250 findings in total",
        "98.5",
        "taken back",
        "page=older",
        r#"href="/days/2026-02-27""#,
        r#"action="/days/2026-02-28/reconcile""#,
        "activityctl reconcile --sample 200 --date 2026-02-28",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert") && !page.text.contains(">blocked<"), "{}", page.text);
}

#[tokio::test]
async fn a_day_that_is_not_published_says_what_to_do() {
    let site = Script::new()
        .answers("ListPublishedDays", &ListPublishedDaysResponse::default())
        .answers("GetDaySources", &GetDaySourcesResponse::default())
        .fails("ListAuditResults", Status::not_found("nothing is published"))
        .fails("ListPublications", Status::internal("the history is away"))
        .site(NOW);
    let page = site.get("/days/2026-02-28").await;
    for shown in [
        "The day is not published.",
        "never asked for the day",
        "Nothing is published of this day.",
        r#"href="/runs?start=yes&amp;from=2026-02-28&amp;to=2026-02-28""#,
        "the history is away",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert_eq!(site.get("/days/2026-2-28").await.status, 404);
}

fn update(update: Update) -> ReconcileResponse {
    ReconcileResponse { update: Some(update) }
}

fn comparing() -> Site {
    let difference = Mismatch {
        company_id: "a<b".into(),
        activity_date: "2026-02-28".into(),
        published: Some(UsageNumbers { active_users: 1, events: 1_000 }),
        source: Some(UsageNumbers { active_users: 2, events: 2_000 }),
        kind: DifferenceKind::CorrectedAtSource.into(),
        explanation: "corrected since".into(),
        ..Mismatch::default()
    };
    let kind = DifferenceCount { kind: DifferenceKind::CorrectedAtSource.into(), count: 1 };
    let summary =
        ReconciliationSummary { compared: 200, mismatches: 1, by_kind: vec![kind], ..Default::default() };
    script()
        .streams(
            "Reconcile",
            &[
                update(Update::Progress(StageProgress::default())),
                update(Update::Difference(difference)),
                update(Update::Summary(summary)),
            ],
        )
        .site(NOW)
}

#[tokio::test]
async fn a_comparison_shows_each_difference_with_both_values() {
    let site = comparing();
    site.get("/days/2026-02-28").await;
    let page = site.post("/days/2026-02-28/reconcile", "sample=200").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "200 companies were compared, 1 of them differ.",
        "a&lt;b",
        "corrected at source",
        "1 user, 1,000 events",
        "2 users, 2,000 events",
        "--all --date 2026-02-28 --heal",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains("activityctl reconcile --sample 200 --date 2026-02-28"), "{}", page.text);
    let page = site.post("/days/2026-02-28/reconcile", "sample=all").await;
    assert!(page.text.contains("activityctl reconcile --all --date 2026-02-28<"), "{}", page.text);
    assert!(page.text.contains(r#"<option value="all" selected>"#), "{}", page.text);
    let asked: Vec<u32> =
        site.asked::<ReconcileRequest>("Reconcile").iter().map(|request| request.sample_size).collect();
    assert_eq!(asked, [200, 0]);
}

#[tokio::test]
async fn a_comparison_of_nothing_is_not_called_equal() {
    let nothing = update(Update::Summary(ReconciliationSummary::default()));
    let site = script().streams("Reconcile", &[nothing]).site(NOW);
    site.get("/days/2026-02-28").await;
    let page = site.post("/days/2026-02-28/reconcile", "").await.text;
    assert!(page.contains(">nothing to compare<") && page.contains("No company has usage"), "{page}");
    assert!(!page.contains(">equal<") && !page.contains("No number differs"), "{page}");
}

#[tokio::test]
async fn a_form_that_makes_no_sense_or_is_forged_compares_nothing() {
    let site = comparing();
    site.get("/days/2026-02-28").await;
    assert_eq!(site.post("/days/2026-02-28/reconcile", "sample=-1").await.status, 400);
    assert_eq!(site.forge("/days/2026-02-28/reconcile", "sample=200").await.status, 403);
    assert_eq!(site.asked::<ReconcileRequest>("Reconcile"), []);
}

#[tokio::test]
async fn a_comparison_that_breaks_off_has_no_result() {
    let site = script().streams("Reconcile", &[update(Update::Progress(StageProgress::default()))]).site(NOW);
    site.get("/days/2026-02-28").await;
    let page = site.post("/days/2026-02-28/reconcile", "").await;
    assert_eq!(page.status, 503);
    assert!(page.text.contains("ended without a result"), "{}", page.text);
}

#[tokio::test]
async fn a_reader_is_offered_no_comparison_and_gets_none() {
    let site = script().for_readers().site(NOW);
    let page = site.get("/days/2026-02-28").await.text;
    assert!(page.contains("Operators can compare the day"), "{page}");
    assert!(!page.contains("/reconcile"), "{page}");
    assert_eq!(site.forge("/days/2026-02-28/reconcile", "sample=200").await.status, 403);
    assert_eq!(site.asked::<ReconcileRequest>("Reconcile"), []);
}
