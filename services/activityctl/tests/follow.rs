//! Waiting for runs across interruptions of their server, and a server that is older.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use activityctl::{
    commands::{backfill, backfill_preview},
    confirm::ConfirmArgs,
    connect::Connection,
    error::Error,
    follow::{FollowArgs, follow_to_success},
    format::RowFormat,
    output::Output,
    progress::RunProgress,
};
use proto::pipeline::v1::{
    BackfillRequest, BackfillResponse, CancelRunRequest, CancelRunResponse, ExplainRequest, ExplainResponse,
    GetRunRequest, GetRunResponse, ListAuditEntriesRequest, ListAuditEntriesResponse, ListRunsRequest,
    ListRunsResponse, PreviewBackfillRequest, PreviewBackfillResponse, ReconcileRequest, ReconcileResponse,
    RetryRunRequest, RetryRunResponse, Run, RunState, TriggerRunRequest, TriggerRunResponse,
    UnpublishDaysRequest, UnpublishDaysResponse, WatchRunRequest, WatchRunResponse,
    pipeline_service_server::{PipelineService, PipelineServiceServer},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Request, Response, Status, async_trait, service::Routes};

type Messages<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

/// What each call of `WatchRun` or `Backfill` streams, in order.
struct Scripted {
    streams: Mutex<VecDeque<Vec<Result<RunState, Status>>>>,
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of the script"))
}

#[async_trait]
impl PipelineService for Scripted {
    type WatchRunStream = Messages<WatchRunResponse>;
    type BackfillStream = Messages<BackfillResponse>;
    type PreviewBackfillStream = Messages<PreviewBackfillResponse>;
    type ReconcileStream = Messages<ReconcileResponse>;

    async fn watch_run(&self, _: Request<WatchRunRequest>) -> Result<Response<Self::WatchRunStream>, Status> {
        self.stream(|run| WatchRunResponse { run: Some(run) })
    }

    async fn trigger_run(
        &self,
        _: Request<TriggerRunRequest>,
    ) -> Result<Response<TriggerRunResponse>, Status> {
        unused()
    }

    async fn get_run(&self, _: Request<GetRunRequest>) -> Result<Response<GetRunResponse>, Status> {
        unused()
    }

    async fn list_runs(&self, _: Request<ListRunsRequest>) -> Result<Response<ListRunsResponse>, Status> {
        unused()
    }

    async fn cancel_run(&self, _: Request<CancelRunRequest>) -> Result<Response<CancelRunResponse>, Status> {
        unused()
    }

    async fn retry_run(&self, _: Request<RetryRunRequest>) -> Result<Response<RetryRunResponse>, Status> {
        unused()
    }

    async fn unpublish_days(
        &self,
        _: Request<UnpublishDaysRequest>,
    ) -> Result<Response<UnpublishDaysResponse>, Status> {
        unused()
    }

    async fn list_audit_entries(
        &self,
        _: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        unused()
    }

    async fn backfill(&self, _: Request<BackfillRequest>) -> Result<Response<Self::BackfillStream>, Status> {
        self.stream(|run| BackfillResponse { run: Some(run), ..BackfillResponse::default() })
    }

    /// As a coordinator answers that does not know the call.
    async fn preview_backfill(
        &self,
        _: Request<PreviewBackfillRequest>,
    ) -> Result<Response<Self::PreviewBackfillStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        unused()
    }

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        unused()
    }
}

impl Scripted {
    fn stream<T: Send + 'static>(
        &self,
        message: impl Fn(Run) -> T + Send + 'static,
    ) -> Result<Response<Messages<T>>, Status> {
        let next = self.streams.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let script = next.ok_or_else(|| Status::not_found("the script has ended"))?;
        let messages = script.into_iter().map(move |step| {
            step.map(|state| message(Run { run_id: "r1".to_owned(), state: state.into(), ..Run::default() }))
        });
        Ok(Response::new(Box::pin(futures::stream::iter(messages))))
    }
}

type Streams = Vec<Vec<Result<RunState, Status>>>;

/// A connection to a server that answers as scripted while the handle lives.
fn scripted(streams: Streams) -> (Connection, AbortOnDropHandle<anyhow::Result<()>>) {
    let scripted = Scripted { streams: Mutex::new(streams.into()) };
    let routes = Routes::new(PipelineServiceServer::new(scripted));
    let (channel, server) =
        runtime::channel::in_process("scripted", routes, CancellationToken::new()).unwrap();
    let server = AbortOnDropHandle::new(tokio::spawn(server.run));
    (Connection::through("http://scripted", channel), server)
}

async fn follow(reconnect_for: Duration, streams: Streams) -> Result<Run, Error> {
    let (connection, _server) = scripted(streams);
    follow_to_success(&connection, "r1", &FollowArgs { reconnect_for }, &mut RunProgress::for_stderr()).await
}

async fn backfill(reconnect_for: Duration, streams: Streams) -> Result<(), Error> {
    let (connection, _server) = scripted(streams);
    let mut output = Output::plain(std::io::sink());
    let (follow, confirm) = (FollowArgs { reconnect_for }, ConfirmArgs { yes: false });
    backfill::run(&connection, &BackfillRequest::default(), &follow, confirm, &mut output).await
}

#[tokio::test]
async fn a_stream_that_breaks_or_ends_early_is_taken_up_again() {
    let run = follow(
        Duration::from_secs(60),
        vec![
            vec![Ok(RunState::Running), Err(Status::unavailable("restarting"))],
            vec![],
            vec![Ok(RunState::Running), Ok(RunState::Succeeded)],
        ],
    )
    .await
    .unwrap();
    assert_eq!(run.state(), RunState::Succeeded);
}

#[tokio::test]
async fn a_server_that_stays_away_is_given_up() {
    let away = || vec![Err(Status::unavailable("restarting"))];
    let error = follow(Duration::ZERO, vec![away(), away()]).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(status) if status.message() == "restarting"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let error = follow(Duration::from_secs(60), vec![]).await.unwrap_err();
    assert_eq!(error.to_string(), "the script has ended (NOT_FOUND)");
}

#[tokio::test]
async fn a_failed_run_has_its_own_exit_code() {
    let error = follow(Duration::from_secs(60), vec![vec![Ok(RunState::Failed)]]).await.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
}

#[tokio::test]
async fn a_backfill_whose_run_fails_has_the_exit_code_of_a_failed_run() {
    let stopped = || Err(Status::failed_precondition("the backfill stopped"));
    for (messages, exit_code) in [
        (vec![Ok(RunState::Running), Ok(RunState::Failed), stopped()], 3),
        (vec![Ok(RunState::Succeeded), stopped()], 1),
        (vec![Ok(RunState::Running)], 1),
    ] {
        assert_eq!(backfill(Duration::ZERO, vec![messages]).await.unwrap_err().exit_code(), exit_code);
    }
    let succeeded = vec![vec![Ok(RunState::Running), Ok(RunState::Succeeded)]];
    backfill(Duration::ZERO, succeeded).await.unwrap();
}

#[tokio::test]
async fn a_backfill_survives_a_restart_of_the_server() {
    let restarting = || Err(Status::unavailable("restarting"));
    let streams = || {
        vec![
            vec![Ok(RunState::Running), restarting()],
            vec![restarting()],
            vec![Ok(RunState::Running), Ok(RunState::Succeeded)],
        ]
    };
    backfill(Duration::from_secs(60), streams()).await.unwrap();
    let error = backfill(Duration::ZERO, streams()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(status) if status.message() == "restarting"), "{error}");
}

#[tokio::test]
async fn a_coordinator_without_previews_is_reported_as_older() {
    let (connection, _server) = scripted(vec![]);
    let (request, confirm) = (PreviewBackfillRequest::default(), ConfirmArgs { yes: false });
    let mut output = Output::plain(std::io::sink());
    let refused = backfill_preview::run(&connection, &request, confirm, RowFormat::Table, &mut output).await;
    let reported = refused.unwrap_err().to_string();
    assert!(
        reported.starts_with("the coordinator at http://scripted is older than this activityctl"),
        "{reported}"
    );
}
