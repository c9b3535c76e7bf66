use chrono::NaiveDate;
use prost_types::{Duration, Timestamp};
use proto::{
    activity::v1::{DayTotals, ListPublishedDaysResponse, Publication},
    monitoring::v1::{Backlog, Deadline, PipelineStage, RecordedAlert},
    notifier::v1::{Alert, AlertCause},
    pipeline::v1::{ListRunsResponse, Run, RunStage, RunState, RunTrigger, StageState},
    stage::v1::{DateWindow as DateWindowProto, StageCounters, StageProgress},
};
use tonic::Status;

use super::*;
use crate::scripted::Script;

const NOW: &str = "2026-03-01T06:00:00Z";

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_772_000_000 + seconds, nanos: 0 })
}

fn run(run_id: &str, first: &str, last: &str, state: StageState) -> Run {
    let counters = StageCounters { rows_read: 1_200, rows_written: 7, ..StageCounters::default() };
    Run {
        run_id: run_id.into(),
        window: Some(DateWindowProto { start_date: first.into(), end_date: last.into() }),
        state: RunState::Succeeded.into(),
        trigger: RunTrigger::Scheduled.into(),
        start_time: at(0),
        end_time: at(90),
        stages: vec![RunStage {
            stage: "act_copy_crm_csv".into(),
            state: state.into(),
            start_time: at(0),
            end_time: at(3),
            progress: Some(StageProgress { counters: Some(counters), ..StageProgress::default() }),
            ..RunStage::default()
        }],
        ..Run::default()
    }
}

fn published(day: &str, events: i64) -> PublishedDay {
    PublishedDay {
        publication: Some(Publication {
            activity_date: day.into(),
            run_id: "r1".into(),
            row_count: 2_000,
            ..Publication::default()
        }),
        checksum: "00000000000000aa".into(),
        totals: Some(DayTotals { events, active_users: 5, churn_risks: 2, active_companies: 9 }),
    }
}

fn freshness(newest: &str, days_behind: i32) -> GetFreshnessResponse {
    GetFreshnessResponse {
        newest: Some(Publication { activity_date: newest.into(), ..Publication::default() }),
        oldest_date: "2025-02-01".into(),
        published_days: 393,
        days_behind,
    }
}

fn alert() -> ListAlertsResponse {
    let alert = Alert {
        stage: "act_call_product_api".into(),
        error_message: "the API answers 500 <script>alert(1)</script>".into(),
        error_code: "UNAVAILABLE".into(),
        run_id: "r9".into(),
        business_date: "2026-02-28".into(),
        attempt: 3,
        fail_time: at(0),
        cause: AlertCause::StageFailed.into(),
        ..Alert::default()
    };
    let recorded = RecordedAlert {
        alert: Some(alert),
        is_open: true,
        tries: 2,
        problem: "timeout".into(),
        ..RecordedAlert::default()
    };
    ListAlertsResponse { alerts: vec![recorded], next_page_token: String::new() }
}

fn status() -> GetPipelineStatusResponse {
    GetPipelineStatusResponse {
        pipeline: "daily".into(),
        stages: vec![PipelineStage { stage: "act_copy_crm_csv".into(), ..PipelineStage::default() }],
        deadline: Some(Deadline {
            activity_date: "2026-02-28".into(),
            deadline_time: at(0),
            is_missed: true,
        }),
        backlog: Some(Backlog {
            dirty_ranges: 1_234,
            open_quarantined_rows: 5,
            alerts: 1,
            oldest_alert_age: Some(Duration { seconds: 120, nanos: 0 }),
        }),
        active_run_ids: vec!["r9".into()],
    }
}

fn runs(next_page_token: &str) -> ListRunsResponse {
    ListRunsResponse {
        runs: vec![
            run("r2", "2026-02-27", "2026-02-27", StageState::Failed),
            run("r1", "2026-02-20", "2026-02-27", StageState::Succeeded),
        ],
        next_page_token: next_page_token.into(),
    }
}

fn script() -> Script {
    script_with(&freshness("2026-02-27", 1), &runs(""))
}

fn script_with(freshness: &GetFreshnessResponse, runs: &ListRunsResponse) -> Script {
    Script::new()
        .answers("GetFreshness", freshness)
        .answers("GetPipelineStatus", &status())
        .answers("ListAlerts", &alert())
        .answers("ListRuns", runs)
        .answers(
            "ListPublishedDays",
            &ListPublishedDaysResponse {
                days: vec![published("2026-01-05", 10), published("2026-02-27", 3_000)],
            },
        )
}

#[tokio::test]
async fn the_overview_says_what_is_there_and_what_needs_somebody() {
    let site = script().site(NOW);
    let page = site.get("/").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "1 day behind",
        ">missed<",
        ">1,234<",
        "the oldest for 2 min 00 s",
        "a stage failed",
        "the API answers 500 &lt;script&gt;",
        "Remove the cause, then retry",
        "act_copy_crm_csv on 2026-02-27: failed in 3.0 s, 1,200 rows read, 7 rows written",
        "act_copy_crm_csv on 2026-02-20: succeeded in 3.0 s",
        "run over 2026-02-20: succeeded, 1 min 30 s from first start to end",
        r#"aria-label="no run over 2026-01-05""#,
        r#"aria-label="2026-01-06 is not published""#,
        "As of <time datetime=\"2026-03-01T06:00:00Z\"",
        "2026-01-05 is published with 2,000 rows; the run is not on record",
        "2026-02-27 is published with 2,000 rows\"",
        "events 3,000",
        "Weeks cannot be compared",
        r#"href="/runs/r9""#,
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert"));
    let asked = &site.asked::<ListPublishedDaysRequest>("ListPublishedDays")[0];
    assert_eq!((asked.start_date.as_str(), asked.end_date.as_str()), ("2025-12-31", "2026-02-28"));
    assert!(site.asked::<ListAlertsRequest>("ListAlerts")[0].only_open);
}

#[tokio::test]
async fn one_service_that_fails_leaves_the_rest() {
    let failing = Script::new()
        .fails("GetFreshness", Status::unavailable("activity is away"))
        .fails("ListPublishedDays", Status::unavailable("activity is away"))
        .fails("ListRuns", Status::internal("runs cannot be listed"))
        .answers("GetPipelineStatus", &status())
        .answers("ListAlerts", &ListAlertsResponse::default());
    let page = failing.site(NOW).get("/").await;
    assert_eq!(page.status, 200);
    for shown in ["activity is away", "runs cannot be listed", "Nobody has to do anything.", ">missed<"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
}

#[tokio::test]
async fn days_of_which_nobody_knows_are_not_called_unpublished() {
    let failing = Script::new()
        .answers("GetFreshness", &freshness("2026-02-27", 1))
        .answers("GetPipelineStatus", &status())
        .answers("ListAlerts", &ListAlertsResponse::default())
        .answers("ListRuns", &runs(""))
        .fails("ListPublishedDays", Status::unavailable("activity is away"));
    let page = failing.site(NOW).get("/").await.text;
    assert!(!page.contains("is not published") && page.contains("activity is away"), "{page}");
    assert!(page.contains("act_copy_crm_csv on 2026-02-27: failed"), "{page}");
}

#[tokio::test]
async fn gaps_between_published_days_are_said() {
    let full = freshness("2026-02-28", 0);
    let site = |published_days| {
        script_with(&GetFreshnessResponse { published_days, ..full.clone() }, &runs("")).site(NOW)
    };
    let whole = site(393).get("/").await.text;
    assert!(whole.contains(">fresh<") && !whole.contains("days missing"), "{whole}");
    let page = site(390).get("/").await.text;
    assert!(page.contains(">3 days missing<"), "{page}");
}

#[tokio::test]
async fn a_run_that_may_be_older_than_what_was_asked_for_is_not_called_lost() {
    let site = script_with(&freshness("2026-02-27", 1), &runs("more")).site(NOW);
    let page = site.get("/").await.text;
    assert!(page.contains("2026-01-05 is published with 2,000 rows\""), "{page}");
    assert!(!page.contains("not on record"), "{page}");
    let asked = site.asked::<ListRunsRequest>("ListRuns");
    assert_eq!((asked.len(), asked[0].page_size), (PAGES, RUNS));
}

#[tokio::test]
async fn data_of_long_ago_is_asked_for_once_it_is_known() {
    let site = script_with(&freshness("2025-03-01", 365), &runs("")).site(NOW);
    site.get("/").await;
    let asked = site.asked::<ListPublishedDaysRequest>("ListPublishedDays");
    let ends: Vec<&str> = asked.iter().map(|request| request.end_date.as_str()).collect();
    assert_eq!(ends, ["2026-02-28", "2025-03-01"]);
}

#[tokio::test]
async fn an_alert_of_a_newer_release_is_not_taken_for_a_failed_stage() {
    let mut alerts = alert();
    let unknown = alerts.alerts[0].alert.as_mut().unwrap();
    unknown.cause = 99;
    let site = Script::new()
        .answers("GetFreshness", &freshness("2026-02-27", 1))
        .answers("GetPipelineStatus", &status())
        .answers("ListAlerts", &alerts)
        .answers("ListRuns", &runs(""))
        .answers("ListPublishedDays", &ListPublishedDaysResponse::default())
        .site(NOW);
    let page = site.get("/").await.text;
    assert!(page.contains("something that this console does not know"), "{page}");
    assert!(!page.contains("a stage failed") && !page.contains("then retry"), "{page}");
}

#[tokio::test]
async fn a_warehouse_without_data_says_what_to_do() {
    let empty = Script::new()
        .answers("GetFreshness", &GetFreshnessResponse::default())
        .answers("ListPublishedDays", &ListPublishedDaysResponse::default())
        .answers("ListRuns", &ListRunsResponse::default())
        .answers("GetPipelineStatus", &GetPipelineStatusResponse::default())
        .answers("ListAlerts", &ListAlertsResponse::default());
    let page = empty.site(NOW).get("/").await;
    for shown in [
        "Nothing yet",
        "Start a run",
        "runs without <code>--publish-deadline</code>",
        "No totals are on record",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
}

#[tokio::test]
async fn a_day_that_is_none_is_refused() {
    assert_eq!(script().site(NOW).get("/?until=2026-02-30").await.status, 400);
    let site = script().site(NOW);
    assert_eq!(site.get("/?until=2026-01-31").await.status, 200);
    assert_eq!(site.asked::<ListPublishedDaysRequest>("ListPublishedDays")[0].end_date, "2026-01-31");
}

#[test]
fn data_of_long_ago_is_shown_with_its_own_days() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let end = |until, newest| window(until, newest, day("2026-03-01")).unwrap().end();
    assert_eq!(end(None, None), day("2026-03-01"));
    assert_eq!(end(None, Some(day("2026-02-27"))), day("2026-03-01"));
    assert_eq!(end(None, Some(day("2024-05-05"))), day("2024-05-05"));
    assert_eq!(end(Some(day("2025-01-01")), Some(day("2024-05-05"))), day("2025-01-01"));
    assert_eq!(window(None, None, day("2026-03-01")).unwrap().len_days(), 60);
}
