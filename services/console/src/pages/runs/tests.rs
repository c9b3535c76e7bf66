//! What the list says, and what its form starts.

use axum::http::StatusCode;
use prost_types::Timestamp;
use proto::{
    pipeline::v1::{
        ListRunsRequest, ListRunsResponse, RunStage, RunState, RunTrigger, StageState, TriggerRunRequest,
    },
    stage::v1::DateWindow,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;
use crate::scripted::{HOSTILE, Pipeline, assert_harmless};

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn failed() -> Run {
    Run {
        run_id: "r1".into(),
        window: Some(DateWindow { start_date: "2026-02-12".into(), end_date: "2026-02-12".into() }),
        trigger: RunTrigger::Scheduled.into(),
        state: RunState::Failed.into(),
        create_time: at(90),
        start_time: at(100),
        end_time: at(130),
        requested_by: HOSTILE.into(),
        stages: vec![RunStage {
            stage: "api".into(),
            state: StageState::Failed.into(),
            ..RunStage::default()
        }],
        ..Run::default()
    }
}

fn model(runs: Vec<Run>, query: &str, next_page_token: &str) -> Model {
    Model {
        filter: Filter::parse(&Fields::parse(query.as_bytes())).unwrap(),
        address: Address::of(&format!("/runs?{query}").parse().unwrap()),
        runs,
        next_page_token: next_page_token.to_owned(),
        backfills: Vec::new(),
        now: DateTime::from_timestamp(160, 0).unwrap(),
    }
}

#[test]
fn a_run_is_listed_with_all_that_tells_it_apart() {
    let running = Run { run_id: "r2".into(), state: RunState::Running.into(), end_time: None, ..failed() };
    let html = view(&model(vec![running, failed()], "state=failed", "a b"), None).into_string();
    for text in [
        "href=\"/runs/r1\"",
        "href=\"/days/2026-02-12\"",
        "scheduled",
        ">failed<",
        ">api<",
        "30.0 s",
        "1 min 00 s",
        "href=\"/runs?state=failed&amp;page=a+b\"",
        "value=\"failed\" checked",
    ] {
        assert!(html.contains(text), "{text} is missing in {html}");
    }
    assert!(!html.contains("First page") && !html.contains("Start a run"), "{html}");
    assert_harmless(&html);
}

#[test]
fn an_empty_list_says_what_to_do() {
    let html = |query, form: Option<&Markup>| view(&model(vec![], query, ""), form).into_string();
    let form = trigger::form(&Fields::default(), None, "");
    assert!(html("", Some(&form)).contains("Start a run above"));
    assert!(html("", None).contains("the role operator"));
    assert!(html("trigger=backfill", None).contains("No run meets all of these conditions."));
    assert!(html("page=x", None).contains("href=\"/runs\" rel=\"first\">First page"));
}

#[tokio::test]
async fn the_filter_is_asked_of_the_coordinator() {
    let pipeline = Pipeline::of(failed());
    let listed = ListRunsResponse { runs: vec![failed()], next_page_token: "t".into() };
    pipeline.instead("ListRuns").answers("ListRuns", &listed);
    let site = pipeline.site(160);
    let page = site.get("/runs?state=failed&from=2026-02-12&page=here").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Next page") && page.text.contains("activityctl trigger"), "{}", page.text);
    let asked = site.asked::<ListRunsRequest>("ListRuns").remove(0);
    assert_eq!((asked.page_token.as_str(), asked.states), ("here", vec![RunState::Failed as i32]));
    assert_eq!(asked.days.unwrap().end_date, "2026-02-12");
    assert_eq!(site.get("/runs?state=lost").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_run_is_started_as_the_form_says() {
    let pipeline = Pipeline::of(failed());
    let site = pipeline.site(160);
    let form = "from=2026-02-11&to=2026-02-12&force=yes&beyond_reach=yes&accept_empty=2026-02-12";
    let page = site.post("/runs", form).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/runs/r1"));
    let asked = site.asked::<TriggerRunRequest>("TriggerRun").remove(0);
    assert_eq!(asked.window.unwrap().start_date, "2026-02-11");
    assert!(asked.force && asked.beyond_reach);
    assert_eq!(asked.accept_empty_days, ["2026-02-12"]);
    // A run that there is already is found rather than started.
    let page = site.post("/runs", "from=&to=").await;
    assert_eq!(page.location(), "/runs/r1?found=yes");
}

#[tokio::test]
async fn a_refused_form_keeps_its_values_and_says_what_is_wrong() {
    let pipeline = Pipeline::of(failed());
    let site = pipeline.site(160);
    let details = ErrorDetails::with_bad_request_violation(
        "beyond_reach",
        "2006-02-12 is far from all that is published",
    );
    let refusal = Status::with_error_details(Code::InvalidArgument, "invalid request", details);
    pipeline.instead("TriggerRun").fails("TriggerRun", refusal);
    let page = site.post("/runs", "from=2006-02-12&to=2006-02-12&force=yes").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    for text in [
        "beyond_reach: 2006-02-12 is far from all that is published",
        "name=\"from\" value=\"2006-02-12\"",
        "name=\"force\" value=\"yes\" checked",
        "activityctl trigger --date 2006-02-12 --force",
        "role=\"alert\"",
    ] {
        assert!(page.text.contains(text), "{text} is missing in {}", page.text);
    }
    let page = site.post("/runs", "from=soon").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text.contains("is not a calendar day"), "{}", page.text);
}
