//! What would change, and how a backfill goes on.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use proto::{
    activity::v1::CompanyActivity,
    pipeline::v1::{
        BackfillDays, BackfillResponse, PreviewBackfillResponse, Run, RunState,
        preview_backfill_response::Update,
    },
    reconciliation::v1::{CompanyDayChange, PreviewCounts, PreviewMonth, PreviewSummary},
    stage::v1::DateWindow,
};
use tonic::Status;

use crate::scripted::{HOSTILE, Page, Script, assert_harmless, get, get_as, post};

const DAYS: &str = "from=2026-01-01&to=2026-01-31&chunk_days=7&force=yes";

fn run(state: RunState) -> Run {
    let window = Some(DateWindow { start_date: "2026-01-01".into(), end_date: "2026-01-07".into() });
    Run { run_id: "r1".into(), window, state: state.into(), ..Run::default() }
}

fn change(days_done: u32, next_date: &str, state: RunState) -> BackfillResponse {
    BackfillResponse {
        run: Some(run(state)),
        days_done,
        days_total: 31,
        next_date: next_date.into(),
        ..BackfillResponse::default()
    }
}

fn updates() -> Vec<PreviewBackfillResponse> {
    let row = |name: &str, events| CompanyActivity {
        company_id: "acme".into(),
        activity_date: "2026-01-02".into(),
        company_name: Some(name.into()),
        events,
        ..CompanyActivity::default()
    };
    let counts = PreviewCounts { new_rows: 1_234, changed_rows: 1, ..PreviewCounts::default() };
    let summary = PreviewSummary {
        total: Some(counts),
        months: vec![PreviewMonth { month: "2026-01".into(), counts: Some(counts) }],
        remarks: vec!["one day is being run".into()],
    };
    let change = CompanyDayChange { old_row: Some(row("Acme", 3)), new_row: Some(row(HOSTILE, 4)) };
    [
        Update::Days(BackfillDays { to_run: 31, total: 31 }),
        Update::Progress(proto::stage::v1::StageProgress::default()),
        Update::Change(change),
        Update::Summary(summary),
    ]
    .map(|update| PreviewBackfillResponse { update: Some(update) })
    .into()
}

async fn until(mut shown: impl AsyncFnMut() -> Page, text: &str) -> Page {
    for _ in 0..10_000 {
        let page = shown().await;
        if page.html.contains(text) {
            return page;
        }
        tokio::task::yield_now().await;
    }
    panic!("{text} was never shown");
}

#[tokio::test]
async fn the_days_are_asked_for_then_previewed_then_confirmed() {
    let script = Script::of(run(RunState::Running));
    *script.preview.lock().unwrap() = updates();
    let (site, _context) = script.console(0);
    let page = get(&site, "/backfill").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.html.contains("Preview") && !page.html.contains("method=\"post\" action=\"/backfill\""));
    assert_eq!(script.asked.lock().unwrap().len(), 0, "nothing is asked without days");
    let page = get(&site, &format!("/backfill?{DAYS}")).await;
    for text in [
        "31 of 31 days",
        "1,234",
        "2026-01",
        "one day is being run",
        "company_name",
        "&lt;script&gt;",
        "Start the backfill",
        "name=\"chunk_days\" value=\"7\"",
        "activityctl backfill --from 2026-01-01 --to 2026-01-31 --force --chunk-days 7",
    ] {
        assert!(page.html.contains(text), "{text} is missing in {}", page.html);
    }
    assert_harmless(&page.html);
}

#[tokio::test]
async fn where_nothing_is_to_run_nothing_is_offered() {
    let script = Script::of(run(RunState::Running));
    let days = BackfillDays { to_run: 0, total: 31 };
    *script.preview.lock().unwrap() = vec![PreviewBackfillResponse { update: Some(Update::Days(days)) }];
    let (site, _context) = script.console(0);
    let page = get(&site, "/backfill?from=2026-01-01&to=2026-01-31").await;
    assert!(page.html.contains("there is nothing to run") && !page.html.contains("Start the backfill"));
}

#[tokio::test]
async fn days_that_are_none_and_a_preview_that_fails_say_so_in_the_form() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let page = get(&site, "/backfill?from=soon&to=2026-01-31").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.html.contains("is not a calendar day") && page.html.contains("value=\"2026-01-31\""));
    let page = get(&site, "/backfill?from=2026-01-01&chunk_days=0").await;
    assert!(page.html.contains("no number of days per run"), "{}", page.html);
    *script.refusal.lock().unwrap() = Some(Status::unavailable("the product API is away"));
    let page = get(&site, &format!("/backfill?{DAYS}")).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.html.contains("the product API is away") && page.html.contains("can be started all the same")
    );
    *script.refusal.lock().unwrap() = Some(Status::invalid_argument("too long"));
    let page = get(&site, &format!("/backfill?{DAYS}")).await;
    assert!(page.html.contains("too long") && !page.html.contains("Start the backfill"), "{}", page.html);
}

#[tokio::test]
async fn a_backfill_goes_on_without_anybody_looking_and_its_page_says_how_far_it_is() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let page = post(&site, "/backfill", DAYS).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    let address = page.location;
    let show = async || get(&site, &address).await;
    assert!(show().await.html.contains("its first run is about to start"));
    let stream = script.backfill.lock().unwrap().take().unwrap();
    stream.send(Ok(change(7, "2026-01-08", RunState::Running))).unwrap();
    let page = until(show, "7 of 31 days").await;
    for text in [
        "data-live=\"/runs/r1/live\"",
        "http-equiv=\"refresh\"",
        "activityctl backfill --from 2026-01-08 --to 2026-01-31 --force --chunk-days 7",
    ] {
        assert!(page.html.contains(text), "{text} is missing in {}", page.html);
    }
    assert!(get(&site, "/runs").await.html.contains("Backfills under way"));
    stream.send(Ok(change(31, "", RunState::Succeeded))).unwrap();
    drop(stream);
    let page = until(show, "Done: all its days are published.").await;
    assert!(
        !page.html.contains("data-reload") && !page.html.contains("Continue the backfill"),
        "{}",
        page.html
    );
    assert!(!get(&site, "/runs").await.html.contains("Backfills under way"));
}

#[tokio::test]
async fn a_backfill_that_stopped_says_why_and_is_continued_where_it_stopped() {
    let script = Script::of(run(RunState::Running));
    let (site, context) = script.console(0);
    let address = post(&site, "/backfill", DAYS).await.location;
    let show = async || get(&site, &address).await;
    let stream = script.backfill.lock().unwrap().take().unwrap();
    stream.send(Ok(change(7, "2026-01-08", RunState::Failed))).unwrap();
    stream.send(Err(Status::failed_precondition("run r1 is <failed>"))).unwrap();
    let page = until(show, "Stopped: run r1 is &lt;failed&gt;").await;
    assert!(page.html.contains("Continue the backfill"), "{}", page.html);
    assert!(page.html.contains("name=\"from\" value=\"2026-01-08\""), "{}", page.html);
    // A console that ends says how those go on that it listened to.
    let address = post(&site, "/backfill", DAYS).await.location;
    context.shutdown.cancel();
    until(async || get(&site, &address).await, "Stopped: the console was stopped").await;
    assert_eq!(get(&site, "/backfill/unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backfill_is_shown_to_those_alone_who_may_see_its_run() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let address = post(&site, "/backfill", DAYS).await.location;
    let stream = script.backfill.lock().unwrap().take().unwrap();
    stream.send(Ok(change(7, "2026-01-08", RunState::Running))).unwrap();
    until(async || get(&site, &address).await, "7 of 31 days").await;
    script.run.send_modify(|run| run.run_id = "another".into());
    let page = get(&site, &address).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "the services do not show its run");
    assert!(!page.html.contains("of 31 days"), "{}", page.html);
    // The services are asked anew who it is.
    *script.refusal.lock().unwrap() = Some(Status::unauthenticated("who is that?"));
    post(&site, "/backfill", DAYS).await;
    script.has_no_role.store(true, Ordering::SeqCst);
    let page = get(&site, &address).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.html.contains("that takes the role reader"), "{}", page.html);
}

#[tokio::test]
async fn a_backfill_is_stopped_by_an_operator() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let address = post(&site, "/backfill", DAYS).await.location;
    let stream = script.backfill.lock().unwrap().take().unwrap();
    assert!(get(&site, &address).await.html.contains("Start no further run"));
    let page = post(&site, &format!("{address}/stop"), "").await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, address.as_str()));
    until(async || get(&site, &address).await, "Stopped: an operator has stopped it").await;
    stream.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_backfill_stops_when_whoever_started_it_loses_the_role() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let address = post(&site, "/backfill", DAYS).await.location;
    let stream = script.backfill.lock().unwrap().take().unwrap();
    // The services are asked anew who it is.
    *script.refusal.lock().unwrap() = Some(Status::unauthenticated("who is that?"));
    post(&site, "/backfill", DAYS).await;
    *script.refusal.lock().unwrap() = None;
    script.is_reader_only.store(true, Ordering::SeqCst);
    stream.closed().await;
    until(async || get(&site, &address).await, "may not do so any more").await;
}

#[tokio::test]
async fn a_link_from_elsewhere_fetches_nothing() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    for from in ["cross-site", "same-site"] {
        let headers =
            [("sec-fetch-site", from), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let page = get_as(&site, &format!("/backfill?{DAYS}"), &headers).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.html.contains("A link from elsewhere") && page.html.contains("value=\"2026-01-31\""));
        assert!(!page.html.contains("Start the backfill"), "{}", page.html);
    }
    assert_eq!(script.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn backfills_under_way_are_few() {
    let script = Script::of(run(RunState::Running));
    let (site, _context) = script.console(0);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let page = post(&site, "/backfill", DAYS).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        streams.push(script.backfill.lock().unwrap().take().unwrap());
    }
    let page = post(&site, "/backfill", DAYS).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.html.contains("4 backfills are under way"), "{}", page.html);
    assert!(page.html.contains("value=\"2026-01-01\""), "the values are kept");
}
