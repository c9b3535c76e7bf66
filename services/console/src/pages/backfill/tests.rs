//! What would change, and how a backfill goes on.

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

use crate::scripted::{HOSTILE, Page, Pipeline, Site, assert_harmless};

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
        if page.text.contains(text) {
            return page;
        }
        tokio::task::yield_now().await;
    }
    panic!("{text} was never shown");
}

#[tokio::test]
async fn the_days_are_asked_for_then_previewed_then_confirmed() {
    let pipeline = Pipeline::of(run(RunState::Running));
    pipeline.streams("PreviewBackfill", &updates());
    let site = pipeline.site(0);
    let page = site.get("/backfill").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Preview") && !page.text.contains("method=\"post\" action=\"/backfill\""));
    assert!(pipeline.actions().is_empty(), "nothing is asked without days");
    let page = site.get(&format!("/backfill?{DAYS}")).await;
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
        assert!(page.text.contains(text), "{text} is missing in {}", page.text);
    }
    assert_harmless(&page.text);
}

#[tokio::test]
async fn where_nothing_is_to_run_nothing_is_offered() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let days = BackfillDays { to_run: 0, total: 31 };
    pipeline.answers("PreviewBackfill", &PreviewBackfillResponse { update: Some(Update::Days(days)) });
    let site = pipeline.site(0);
    let page = site.get("/backfill?from=2026-01-01&to=2026-01-31").await;
    assert!(page.text.contains("there is nothing to run") && !page.text.contains("Start the backfill"));
}

#[tokio::test]
async fn days_that_are_none_and_a_preview_that_fails_say_so_in_the_form() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let page = site.get("/backfill?from=soon&to=2026-01-31").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text.contains("is not a calendar day") && page.text.contains("value=\"2026-01-31\""));
    let page = site.get("/backfill?from=2026-01-01&chunk_days=0").await;
    assert!(page.text.contains("no number of days per run"), "{}", page.text);
    pipeline.fails("PreviewBackfill", Status::unavailable("the product API is away"));
    let page = site.get(&format!("/backfill?{DAYS}")).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.text.contains("the product API is away") && page.text.contains("can be started all the same")
    );
    pipeline.instead("PreviewBackfill").fails("PreviewBackfill", Status::invalid_argument("too long"));
    let page = site.get(&format!("/backfill?{DAYS}")).await;
    assert!(page.text.contains("too long") && !page.text.contains("Start the backfill"), "{}", page.text);
}

#[tokio::test]
async fn a_backfill_goes_on_without_anybody_looking_and_its_page_says_how_far_it_is() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let page = site.post("/backfill", DAYS).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let address = page.location().to_owned();
    let show = async || site.get(&address).await;
    assert!(show().await.text.contains("its first run is about to start"));
    let stream = pipeline.take_backfill();
    stream.send(Ok(change(7, "2026-01-08", RunState::Running))).unwrap();
    let page = until(show, "7 of 31 days").await;
    for text in [
        "data-live=\"/runs/r1/live\"",
        "http-equiv=\"refresh\"",
        "activityctl backfill --from 2026-01-08 --to 2026-01-31 --force --chunk-days 7",
    ] {
        assert!(page.text.contains(text), "{text} is missing in {}", page.text);
    }
    assert!(site.get("/runs").await.text.contains("Under way."));
    stream.send(Ok(change(31, "", RunState::Succeeded))).unwrap();
    drop(stream);
    let page = until(show, "Done: all its days are published.").await;
    assert!(
        !page.text.contains("data-reload") && !page.text.contains("Continue the backfill"),
        "{}",
        page.text
    );
    assert!(site.get("/runs").await.text.contains(&format!("href=\"{address}\"")), "it can be found again");
}

#[tokio::test]
async fn a_backfill_that_stopped_says_why_and_is_continued_where_it_stopped() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let address = site.post("/backfill", DAYS).await.location().to_owned();
    let show = async || site.get(&address).await;
    let stream = pipeline.take_backfill();
    stream.send(Ok(change(7, "2026-01-08", RunState::Failed))).unwrap();
    stream.send(Err(Status::failed_precondition("run r1 is <failed>"))).unwrap();
    let page = until(show, "Stopped: run r1 is &lt;failed&gt;").await;
    assert!(page.text.contains("Continue the backfill"), "{}", page.text);
    assert!(page.text.contains("name=\"from\" value=\"2026-01-08\""), "{}", page.text);
    let runs = site.get("/runs").await;
    assert!(runs.text.contains(&address) && runs.text.contains("Stopped: run r1"), "{}", runs.text);
    // A console that ends says how those go on that it listened to.
    let address = site.post("/backfill", DAYS).await.location().to_owned();
    site.context.shutdown.cancel();
    until(async || site.get(&address).await, "Stopped: the console was stopped").await;
    assert_eq!(site.get("/backfill/unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backfill_is_shown_to_those_alone_who_may_see_its_run() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let address = site.post("/backfill", DAYS).await.location().to_owned();
    let stream = pipeline.take_backfill();
    stream.send(Ok(change(7, "2026-01-08", RunState::Running))).unwrap();
    until(async || site.get(&address).await, "7 of 31 days").await;
    pipeline.run.send_modify(|run| run.run_id = "another".into());
    let page = site.get(&address).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "the services do not show its run");
    assert!(!page.text.contains("of 31 days"), "{}", page.text);
    forget_the_caller(&pipeline, &site).await;
    pipeline.for_strangers();
    let page = site.get(&address).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("that takes the role reader"), "{}", page.text);
}

#[tokio::test]
async fn a_backfill_is_stopped_by_an_operator() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let address = site.post("/backfill", DAYS).await.location().to_owned();
    let stream = pipeline.take_backfill();
    assert!(site.get(&address).await.text.contains("Start no further run"));
    let page = site.post(&format!("{address}/stop"), "").await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, address.as_str()));
    until(async || site.get(&address).await, "Stopped: anonymous has stopped it").await;
    stream.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_backfill_stops_when_whoever_started_it_loses_the_role() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let address = site.post("/backfill", DAYS).await.location().to_owned();
    let stream = pipeline.take_backfill();
    forget_the_caller(&pipeline, &site).await;
    pipeline.for_readers();
    stream.closed().await;
    until(async || site.get(&address).await, "may not do so any more").await;
}

/// Makes the site ask the services anew who its visitor is.
async fn forget_the_caller(pipeline: &Pipeline, site: &Site) {
    pipeline.instead("Backfill").fails("Backfill", Status::unauthenticated("who is that?"));
    site.post("/backfill", DAYS).await;
}

#[tokio::test]
async fn a_link_from_elsewhere_fetches_nothing() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    for from in ["cross-site", "same-site"] {
        let page = site.follow_from(from, &format!("/backfill?{DAYS}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("A link from elsewhere") && page.text.contains("value=\"2026-01-31\""));
        assert!(!page.text.contains("Start the backfill"), "{}", page.text);
    }
    assert_eq!(pipeline.actions(), [""; 0]);
}

#[tokio::test]
async fn backfills_under_way_are_few() {
    let pipeline = Pipeline::of(run(RunState::Running));
    let site = pipeline.site(0);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let page = site.post("/backfill", DAYS).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        streams.push(pipeline.take_backfill());
    }
    let page = site.post("/backfill", DAYS).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text.contains("4 backfills are under way"), "{}", page.text);
    assert!(page.text.contains("value=\"2026-01-01\""), "the values are kept");
}
