//! What the page says of runs in every state, and what its forms do.

use axum::http::StatusCode;
use chrono::DateTime;
use prost_types::Timestamp;
use proto::{
    monitoring::v1::{AuditLevel, AuditResult, ListAuditResultsResponse, MeasuredDay, RecordedAlert},
    notifier::v1::Alert,
    pipeline::v1::{RunStage, RunState, RunTrigger, StageAttempt, StageState},
    stage::v1::{DateWindow, StageCounters, StageProgress},
};

use super::*;
use crate::scripted::{HOSTILE, Pipeline, assert_harmless};

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn stage(name: &str, state: StageState) -> RunStage {
    RunStage {
        stage: name.into(),
        service: "ingest-api".into(),
        state: state.into(),
        attempt: 1,
        start_time: at(100),
        ..RunStage::default()
    }
}

fn run(state: RunState, stages: Vec<RunStage>) -> Run {
    Run {
        run_id: "r1".into(),
        pipeline: "daily".into(),
        window: Some(DateWindow { start_date: "2026-02-12".into(), end_date: "2026-02-13".into() }),
        trigger: RunTrigger::Manual.into(),
        state: state.into(),
        create_time: at(90),
        start_time: at(100),
        requested_by: "token:alice".into(),
        stages,
        ..Run::default()
    }
}

fn failed() -> Run {
    let mut api = stage("act_call_product_api", StageState::Failed);
    api.end_time = at(130);
    api.error_code = "UNAUTHENTICATED".into();
    api.error_message = "the product API answered 401".into();
    Run { end_time: at(130), ..run(RunState::Failed, vec![api]) }
}

fn shown(run: &Run) -> String {
    part(run, DateTime::from_timestamp(160, 0).unwrap()).into_string()
}

#[test]
fn a_failed_run_says_where_why_and_how_it_goes_on() {
    let html = shown(&failed());
    for text in [
        "Failed in act_call_product_api; nothing was published.",
        "<code>UNAUTHENTICATED</code>",
        "the product API answered 401",
        "renew it",
        "the run can be continued",
        "token:alice",
        "href=\"/days/2026-02-12\"",
        "10.0 s",
        "30.0 s",
    ] {
        assert!(html.contains(text), "{text} is missing in {html}");
    }
    assert!(!html.contains("data-live"), "it moves no more");
}

#[test]
fn a_running_run_shows_counters_progress_and_where_its_states_come_from() {
    let mut api = stage("api", StageState::Running);
    let counters =
        StageCounters { rows_read: 12_345, rows_written: 12_000, bytes_read: 2_048, ..Default::default() };
    api.progress = Some(StageProgress {
        counters: Some(counters),
        units_done: 3,
        units_total: 12,
        activity: "2026-02-12 page 3".into(),
    });
    let html = shown(&run(RunState::Running, vec![api]));
    for text in [
        "data-live=\"/runs/r1/live\"",
        "12,345",
        "2.0 KiB",
        "value=\"3\" max=\"12\"",
        "2026-02-12 page 3",
        "Running api; 0 of 1 stage done.",
    ] {
        assert!(html.contains(text), "{text} is missing in {html}");
    }
    // The sentence is read aloud when it changes, so nothing in it grows.
    let later = part(&run(RunState::Running, vec![stage("api", StageState::Running)]), DateTime::UNIX_EPOCH);
    assert!(later.into_string().contains("Running api; 0 of 1 stage done."));
}

#[test]
fn rows_that_are_not_accounted_for_are_said() {
    let counted = |rows_written| {
        let counters = StageCounters { rows_read: 5, rows_written, ..Default::default() };
        let mut stage = stage("crm", StageState::Succeeded);
        stage.progress = Some(StageProgress { counters: Some(counters), ..Default::default() });
        shown(&run(RunState::Succeeded, vec![stage]))
    };
    assert!(counted(5).contains("balances"));
    assert!(counted(4).contains("rows do not balance: read 5 but written 4"));
}

#[test]
fn a_stage_that_waits_or_is_retried_says_what_for() {
    let mut waiting = stage("api", StageState::Pending);
    waiting.error_code = "UNAVAILABLE".into();
    waiting.error_message = "503".into();
    waiting.next_attempt_time = at(170);
    waiting.earlier_attempts =
        vec![StageAttempt { attempt: 1, is_interruption: true, ..StageAttempt::default() }];
    let html = shown(&run(RunState::Running, vec![waiting.clone()]));
    assert!(html.contains("the next attempt is due at") && html.contains("interrupted"), "{html}");
    waiting.waiting_for_service_since = at(110);
    let html = shown(&run(RunState::Running, vec![waiting]));
    assert!(html.contains("waited for a connection to <strong>ingest-api</strong>"), "{html}");
}

#[test]
fn a_cancelled_and_a_queued_run_have_their_words() {
    assert!(shown(&run(RunState::Cancelled, vec![])).contains("Cancelled; nothing was published."));
    let queued = Run { start_time: None, ..run(RunState::Queued, vec![]) };
    assert!(shown(&queued).contains("waits for its turn"), "{}", shown(&queued));
}

#[test]
fn a_run_that_takes_days_back_says_so_and_nothing_of_publishing() {
    let taking = |state, stage_state| Run {
        trigger: RunTrigger::Unpublish.into(),
        ..run(state, vec![stage("unpublish", stage_state)])
    };
    let done = taking(RunState::Succeeded, StageState::Succeeded);
    assert!(shown(&done).contains("Succeeded: 1 of 1 stage done, and the days are taken back."));
    let failed = taking(RunState::Failed, StageState::Failed);
    assert!(shown(&failed).contains("Failed in unpublish; nothing was taken back."));
    let running = taking(RunState::Running, StageState::Running);
    let offered = act::actions(&running, Some(""), None).into_string();
    assert!(offered.contains("takes nothing back") && !offered.contains("publish"), "{offered}");
    let nothing = Findings { audits: Ok(ListAuditResultsResponse::default()), alerts: Ok(vec![]) };
    assert!(findings::view(&done, &nothing).into_string().contains("makes no audits"));
}

#[test]
fn a_run_that_continues_is_not_said_to_have_run_while_it_waits() {
    let first = run(RunState::Running, vec![]);
    let again = Run { lease_epoch: 2, ..first.clone() };
    let facts = |run: &Run| shown(run).replace("</dt><dd>", ": ").replace("</dt> <dd>", ": ");
    assert!(facts(&first).contains("Duration: 1 min 00 s"), "{}", facts(&first));
    assert!(facts(&again).contains("From first start to end: 1 min 00 s"), "{}", facts(&again));
    let queued = Run { state: RunState::Queued.into(), ..again };
    assert!(facts(&queued).contains("From first start to end: –"), "{}", facts(&queued));
}

#[test]
fn what_a_visitor_has_opened_stays_when_an_error_or_a_remark_comes() {
    let calm = run(RunState::Running, vec![stage("api", StageState::Running)]);
    let mut troubled = failed();
    troubled.stages[0].remarks = vec!["2 days are small".into()];
    let elements = |run: &Run| {
        let html = shown(run);
        (html.matches("<section").count(), html.matches("<h3>Remarks").count())
    };
    assert_eq!(elements(&calm), elements(&troubled));
    assert!(shown(&calm).contains("aria-labelledby=\"errors\" hidden"), "{}", shown(&calm));
}

#[test]
fn text_of_others_is_text() {
    let mut hostile = failed();
    hostile.requested_by = HOSTILE.into();
    hostile.trace_url = "javascript:alert(1)".into();
    hostile.traceparent = HOSTILE.into();
    hostile.accept_empty_days = vec![HOSTILE.into()];
    let stage = &mut hostile.stages[0];
    stage.stage = HOSTILE.into();
    stage.error_code = HOSTILE.into();
    stage.error_message = HOSTILE.into();
    stage.remarks = vec![HOSTILE.into()];
    stage.progress = Some(StageProgress { activity: HOSTILE.into(), ..Default::default() });
    let html = shown(&hostile);
    assert_harmless(&html);
    assert!(html.contains("&lt;script&gt;"));
    hostile.trace_url = "https://jaeger/trace/1".into();
    assert!(shown(&hostile).contains("href=\"https://jaeger/trace/1\""));
}

#[test]
fn what_can_be_done_depends_on_the_state_and_on_who_looks() {
    let offered = |state, token| act::actions(&run(state, vec![]), token, None).into_string();
    let retry = offered(RunState::Failed, Some("secret"));
    assert!(
        retry.contains("action=\"/runs/r1/retry\"") && retry.contains("activityctl retry r1 --wait"),
        "{retry}"
    );
    assert!(retry.contains("name=\"form_token\" value=\"secret\""), "{retry}");
    assert!(offered(RunState::Cancelled, Some("")).contains("/runs/r1/retry"));
    let cancel = offered(RunState::Running, Some(""));
    assert!(
        cancel.contains("action=\"/runs/r1/cancel\"") && cancel.contains("activityctl cancel r1"),
        "{cancel}"
    );
    assert_eq!(offered(RunState::Succeeded, Some("")), "");
    for state in [RunState::Queued, RunState::Running, RunState::Failed, RunState::Cancelled] {
        assert_eq!(offered(state, None), "", "a reader is offered nothing");
    }
}

#[test]
fn audits_and_alerts_say_what_they_found_and_who_was_told() {
    let audit = |level: AuditLevel, findings: &[&str]| AuditResult {
        audit: "volume".into(),
        level: level.into(),
        rule: "at least half of the median".into(),
        findings: findings.iter().map(|text| (*text).to_owned()).collect(),
        finding_count: findings.len() as u64 * 2,
    };
    let days = vec![MeasuredDay {
        activity_date: "2026-02-12".into(),
        rows: 1_000,
        recent_median_source_rows: Some(12.5),
        ..MeasuredDay::default()
    }];
    let results =
        vec![audit(AuditLevel::Block, &[HOSTILE]), audit(AuditLevel::Warn, &[]), audit(AuditLevel::Off, &[])];
    let alert = Alert { stage: "api".into(), error_message: HOSTILE.into(), ..Alert::default() };
    let waiting = RecordedAlert {
        alert: Some(alert),
        is_open: true,
        tries: 2,
        problem: "503".into(),
        ..Default::default()
    };
    let delivered = RecordedAlert {
        tries: 1,
        settle_time: at(140),
        problem: String::new(),
        is_open: false,
        ..waiting.clone()
    };
    let html = findings::view(
        &failed(),
        &Findings {
            audits: Ok(ListAuditResultsResponse { results, days, audit_time: at(120), ..Default::default() }),
            alerts: Ok(vec![waiting, delivered]),
        },
    )
    .into_string();
    for text in [
        "blocks the publish",
        "2 findings in total",
        ">passed<",
        "12.5",
        "waits for delivery, 2 tries",
        "Newest problem: 503",
        "delivered ",
        ", 1 try",
    ] {
        assert!(html.contains(text), "{text} is missing in {html}");
    }
    assert_harmless(&html);
}

#[test]
fn what_cannot_be_asked_for_is_said_in_its_place() {
    let html = findings::view(
        &failed(),
        &Findings { audits: Err(Status::unavailable("no connection")), alerts: Ok(vec![]) },
    );
    let html = html.into_string();
    assert!(
        html.contains("no connection")
            && html.contains("Reload in a minute")
            && html.contains("Nobody was alerted"),
        "{html}"
    );
}

#[tokio::test]
async fn the_page_holds_all_of_it_and_asks_again_without_javascript_while_it_moves() {
    let pipeline = Pipeline::of(run(RunState::Running, vec![stage("api", StageState::Running)]));
    pipeline
        .instead("ListAuditResults")
        .fails("ListAuditResults", Status::unimplemented("an older coordinator"));
    let site = pipeline.site(160);
    let page = site.get("/runs/r1?found=yes").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in
        ["http-equiv=\"refresh\"", "an older coordinator", "no other one was started", "Cancel the run"]
    {
        assert!(page.text.contains(text), "{text} is missing in {}", page.text);
    }
    pipeline.run.send_replace(failed());
    let page = site.get("/runs/r1").await;
    assert!(
        !page.text.contains("http-equiv=\"refresh\"") && page.text.contains("Retry the run"),
        "{}",
        page.text
    );
    assert_eq!(site.get("/runs/r2").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_action_leads_back_to_the_run_and_a_refused_one_says_why() {
    let pipeline = Pipeline::of(failed());
    let site = pipeline.site(160);
    let page = site.post("/runs/r1/retry", "").await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/runs/r1"));
    let page = site.post("/runs/r1/cancel", "").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(pipeline.actions(), ["RetryRun", "CancelRun"]);
    pipeline
        .instead("CancelRun")
        .fails("CancelRun", Status::failed_precondition("run r1 has ended <already>"));
    let page = site.post("/runs/r1/cancel", "").await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.text.contains("run r1 has ended &lt;already&gt;"), "{}", page.text);
    assert!(page.text.contains("href=\"/runs/r1\"") && !page.text.contains("data-live"), "{}", page.text);
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let pipeline = Pipeline::of(failed());
    let site = pipeline.site(160);
    let page = site.forge("/runs/r1/retry", "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(pipeline.actions().len(), 0);
    assert_eq!(site.get("/runs/r1/retry").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_reader_is_shown_no_action_and_cannot_see_what_a_backfill_would_do() {
    let pipeline = Pipeline::of(failed());
    pipeline.for_readers();
    let site = pipeline.site(160);
    for address in ["/runs", "/runs/r1"] {
        let page = site.get(address).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            !page.text.contains("method=\"post\"") && !page.text.contains("activityctl"),
            "{}",
            page.text
        );
    }
    assert_eq!(site.get("/backfill?from=2026-01-01").await.status, StatusCode::FORBIDDEN);
    assert_eq!(pipeline.actions().len(), 0);
}
