//! What `PipelineService` promises its callers.

use std::sync::Arc;

use domain::run::{STAGE_BUILD_FACT, STAGE_COPY_CRM_CSV, STAGE_VALIDATE};
use futures::future::join_all;
use proto::pipeline::v1::{
    GetRunRequest, ListRunsRequest, Run, RunState, RunTrigger, StageState, TriggerRunRequest, WatchRunRequest,
};
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    script::Step,
    suite::{Suite, assert_succeeded, stage, window},
};

#[tokio::test]
async fn triggering_again_returns_the_same_run_even_at_the_same_time() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let triggers = (0..8).map(|_| {
        let mut client = coordinator.client.clone();
        async move { client.trigger_run(TriggerRunRequest::default()).await.unwrap().into_inner() }
    });
    let answers = join_all(triggers).await;
    let created = answers.iter().filter(|answer| answer.created).count();
    assert_eq!(created, 1);
    let run = answers[0].run.clone().unwrap();
    assert!(answers.iter().all(|answer| answer.run.as_ref().unwrap().run_id == run.run_id));
    assert_eq!(run.trigger(), RunTrigger::Scheduled);
    assert_eq!(run.window, Some(window("2026-02-13", "2026-02-13")));
    coordinator.ended(&run.run_id).await;
    assert_eq!(coordinator.trigger().await.run_id, run.run_id);
    assert_eq!(suite.script.executed().len(), 4);
}

#[tokio::test]
async fn force_runs_a_window_again() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let first = coordinator.trigger_day("2026-02-13").await;
    assert_eq!(first.trigger(), RunTrigger::Manual);
    coordinator.ended(&first.run_id).await;
    let request = TriggerRunRequest {
        window: Some(window("2026-02-13", "2026-02-13")),
        force: true,
        ..TriggerRunRequest::default()
    };
    let answer = coordinator.client.clone().trigger_run(request).await.unwrap().into_inner();
    assert!(answer.created);
    let again = answer.run.unwrap();
    assert_ne!(again.run_id, first.run_id);
    assert_succeeded(&coordinator.ended(&again.run_id).await);
}

#[tokio::test]
async fn a_watcher_sees_live_progress_and_nothing_twice() {
    let suite = Suite::new().await;
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Await(Arc::clone(&go))]);
    let coordinator = suite.start("coordinator-0");
    let run_id = coordinator.trigger().await.run_id;
    let request = WatchRunRequest { run_id };
    let mut watch = coordinator.client.clone().watch_run(request).await.unwrap().into_inner();
    let mut reported: Vec<Run> = Vec::new();
    while let Some(response) = watch.message().await.unwrap() {
        let run = response.run.unwrap();
        let copying = stage(&run, STAGE_COPY_CRM_CSV);
        if copying.progress.as_ref().is_some_and(|progress| progress.units_total == 2) {
            assert_eq!(copying.state(), StageState::Running);
            go.notify_one();
        }
        reported.push(run);
    }
    assert_succeeded(reported.last().unwrap());
    assert!(reported.windows(2).all(|pair| pair[0] != pair[1]));
}

#[tokio::test]
async fn a_watcher_of_another_replica_sees_the_run_end() {
    let suite = Suite::new().await;
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Await(Arc::clone(&go))]);
    let executing = suite.start("coordinator-0");
    let run = executing.trigger().await;
    suite.script.called(STAGE_COPY_CRM_CSV, 1).await;
    let watching = suite.start("coordinator-1");
    let (seen, ()) = tokio::join!(watching.ended(&run.run_id), async { go.notify_one() });
    assert_succeeded(&seen);
}

#[tokio::test]
async fn runs_are_listed_page_by_page_the_newest_first() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let mut created = Vec::new();
    for day in ["2026-02-10", "2026-02-11", "2026-02-12"] {
        let run = coordinator.trigger_day(day).await;
        coordinator.ended(&run.run_id).await;
        created.insert(0, run.run_id);
    }
    let mut listed = Vec::new();
    let mut request = ListRunsRequest { page_size: 2, ..ListRunsRequest::default() };
    let mut pages = 0;
    loop {
        let page = coordinator.client.clone().list_runs(request.clone()).await.unwrap().into_inner();
        listed.extend(page.runs.into_iter().map(|run| run.run_id));
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((pages, listed), (2, created));
    let filtered = async |request: ListRunsRequest| {
        let page = coordinator.client.clone().list_runs(request).await.unwrap().into_inner();
        page.runs.into_iter().map(|run| run.window.unwrap().start_date).collect::<Vec<_>>()
    };
    let days = Some(window("2026-02-11", "2026-02-20"));
    assert_eq!(filtered(ListRunsRequest { days, ..Default::default() }).await, ["2026-02-12", "2026-02-11"]);
    let triggered =
        |trigger: RunTrigger| ListRunsRequest { triggers: vec![trigger.into()], ..Default::default() };
    assert_eq!(filtered(triggered(RunTrigger::Manual)).await.len(), 3);
    assert!(filtered(triggered(RunTrigger::Backfill)).await.is_empty());
    let failed = ListRunsRequest { states: vec![RunState::Failed.into()], ..ListRunsRequest::default() };
    assert!(coordinator.client.clone().list_runs(failed).await.unwrap().into_inner().runs.is_empty());
}

fn violated_field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_field() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.client.clone();
    let today = TriggerRunRequest { window: Some(window("2026-02-13", "2026-02-14")), ..Default::default() };
    assert_eq!(violated_field(&client.trigger_run(today).await.unwrap_err()), "window.end_date");
    let pipeline = TriggerRunRequest { pipeline: "pl_hourly".to_owned(), ..Default::default() };
    assert_eq!(violated_field(&client.trigger_run(pipeline).await.unwrap_err()), "pipeline");
    let token = ListRunsRequest { page_token: "2".to_owned(), ..Default::default() };
    assert_eq!(violated_field(&client.list_runs(token).await.unwrap_err()), "page_token");
    let days = ListRunsRequest { days: Some(window("2026-02-13", "2026-02-12")), ..Default::default() };
    assert_eq!(violated_field(&client.list_runs(days).await.unwrap_err()), "days");
    let cause = ListRunsRequest { triggers: vec![99], ..Default::default() };
    assert_eq!(violated_field(&client.list_runs(cause).await.unwrap_err()), "triggers");
    let id = GetRunRequest { run_id: "latest".to_owned() };
    assert_eq!(violated_field(&client.get_run(id).await.unwrap_err()), "run_id");
    assert!(suite.script.executed().is_empty());
}

#[tokio::test]
async fn requests_that_are_too_long_are_refused_before_any_work() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.client.clone();
    let states =
        |count| ListRunsRequest { states: vec![RunState::Failed.into(); count], ..Default::default() };
    assert!(client.list_runs(states(16)).await.unwrap().into_inner().runs.is_empty(), "said often enough");
    let refused = client.list_runs(states(1_000_000)).await.unwrap_err();
    assert_eq!(violated_field(&refused), "states");
    assert_eq!(refused.message(), "states: has more than 16 entries");
    let accepted =
        TriggerRunRequest { accept_empty_days: vec!["2026-02-13".to_owned(); 10_001], ..Default::default() };
    assert_eq!(violated_field(&client.trigger_run(accepted).await.unwrap_err()), "accept_empty_days");
    // Longer than any request, so not even read.
    let refused = client.list_runs(states(3_000_000)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    assert!(suite.script.executed().is_empty());
}

#[tokio::test]
async fn a_run_that_is_not_there_is_not_found() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.client.clone();
    let run_id = uuid::Uuid::nil().to_string();
    let get = client.get_run(GetRunRequest { run_id: run_id.clone() }).await.unwrap_err();
    let watch = client.watch_run(WatchRunRequest { run_id }).await.unwrap_err();
    assert_eq!((get.code(), watch.code()), (Code::NotFound, Code::NotFound));
}

#[tokio::test]
async fn a_rebuild_from_staging_asks_no_source() {
    let suite = Suite::new().await;
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_BUILD_FACT, [Step::Await(Arc::clone(&go))]);
    let coordinator = suite.start("coordinator-0");
    let days = window("2026-02-10", "2026-02-13");
    let rebuild = TriggerRunRequest {
        window: Some(days.clone()),
        rebuild_days: vec!["2026-02-10".to_owned(), "2026-02-12".to_owned()],
        from_staging: true,
        ..TriggerRunRequest::default()
    };
    let answer = coordinator.client.clone().trigger_run(rebuild.clone()).await.unwrap().into_inner();
    let run = answer.run.unwrap();
    assert_eq!(run.rebuild_days, rebuild.rebuild_days);
    let stages: Vec<_> =
        run.stages.iter().map(|stage| (stage.stage.as_str(), &stage.depends_on[..])).collect();
    assert_eq!(stages, [(STAGE_BUILD_FACT, &[][..]), (STAGE_VALIDATE, &[STAGE_BUILD_FACT.to_owned()][..])]);
    suite.script.called(STAGE_BUILD_FACT, 1).await;

    // The same rebuild finds it; whoever wants more is told to wait.
    let again = coordinator.client.clone().trigger_run(rebuild.clone()).await.unwrap().into_inner();
    assert!(!again.created);
    for more in [
        TriggerRunRequest { from_staging: false, ..rebuild.clone() },
        TriggerRunRequest { rebuild_days: vec![], from_staging: false, force: true, ..rebuild.clone() },
        TriggerRunRequest { rebuild_days: vec!["2026-02-11".to_owned()], ..rebuild.clone() },
    ] {
        let refused = coordinator.client.clone().trigger_run(more).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(refused.message().contains("wait until it has ended"), "{refused}");
    }
    go.notify_one();
    assert_eq!(coordinator.ended(&run.run_id).await.state(), RunState::Succeeded);
    assert_eq!(suite.script.executed(), [STAGE_BUILD_FACT, STAGE_VALIDATE]);

    // A succeeded run does not stand in for a rebuild.
    let again = coordinator.client.clone().trigger_run(rebuild).await.unwrap().into_inner();
    assert!(again.created);
}

#[tokio::test]
async fn a_rebuild_names_days_of_its_run() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let asked = TriggerRunRequest {
        window: Some(window("2026-02-10", "2026-02-13")),
        from_staging: true,
        ..TriggerRunRequest::default()
    };
    for days in [vec![], vec!["2026-02-14".to_owned()], vec!["soon".to_owned()]] {
        let asked = TriggerRunRequest { rebuild_days: days, ..asked.clone() };
        let refused = coordinator.client.clone().trigger_run(asked).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let violated = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violated[0].field, "rebuild_days", "{violated:?}");
    }
}
