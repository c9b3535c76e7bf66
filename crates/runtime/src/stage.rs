//! The gRPC side of a stage, the same for every service that executes stages.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::NaiveDate;
use contract::{
    FieldViolations, code_name,
    message::{counters_to_proto, day_from_proto, progress_to_proto, window_from_proto, window_to_proto},
    status,
};
use domain::{Counters, DateWindow, FailureKind, Progress};
use futures::Stream;
use opentelemetry::KeyValue;
use proto::{
    bounds::MAX_REQUEST_BYTES,
    stage::v1::{
        ExecuteStageRequest, ExecuteStageResponse, StageResult,
        execute_stage_response::Update,
        stage_service_server::{StageService, StageServiceServer},
    },
};
use telemetry::{metrics, spans, stage_spans::StageAttempt};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};
use tracing::{Instrument, Span, info, warn};
use uuid::Uuid;
use warehouse_core::Fence;

use crate::context::Context;

/// Where a stage reports its progress. Never blocks.
pub use warehouse_core::ProgressSink;

/// One attempt of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCall {
    /// The stage of the run, its attempt, and the lease under which it changes data.
    pub fence: Fence,
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's business days.
    pub window: DateWindow,
    /// Days whose answer is accepted however little it holds, because a person said so.
    pub accept_empty_days: BTreeSet<NaiveDate>,
}

impl StageCall {
    /// Parses the call from a message.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    fn from_proto(request: ExecuteStageRequest) -> Result<Self, FieldViolations> {
        let window = request.window.ok_or_else(|| FieldViolations::of("window", "is missing"))?;
        let run_id =
            Uuid::parse_str(&request.run_id).map_err(|error| FieldViolations::of("run_id", error))?;
        let accepted = |text: &String| day_from_proto("accept_empty_days", text);
        Ok(Self {
            fence: Fence {
                run_id,
                stage: request.stage,
                attempt: request.attempt,
                epoch: request.lease_epoch,
            },
            pipeline: request.pipeline,
            window: window_from_proto(&window).map_err(|error| FieldViolations::of("window", error))?,
            accept_empty_days: request.accept_empty_days.iter().map(accepted).collect::<Result<_, _>>()?,
        })
    }

    fn span(&self) -> Span {
        let Self { fence: Fence { run_id, stage, attempt, .. }, pipeline, window, .. } = self;
        let attempt = StageAttempt { pipeline, stage, run_id: *run_id, window: *window, attempt: *attempt };
        attempt.span(&format!("execute {stage}"))
    }
}

impl From<StageCall> for ExecuteStageRequest {
    fn from(call: StageCall) -> Self {
        let Fence { run_id, stage, attempt, epoch } = call.fence;
        Self {
            run_id: run_id.to_string(),
            pipeline: call.pipeline,
            stage,
            window: Some(window_to_proto(call.window)),
            attempt,
            lease_epoch: epoch,
            accept_empty_days: call.accept_empty_days.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What a stage committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageOutcome {
    /// The final counters.
    pub counters: Counters,
    /// Remarks for people, apart from failures.
    pub remarks: Vec<String>,
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What went wrong, where, and what to do.
    pub message: String,
    /// How long to wait before a retry, if the source said so.
    pub retry_after: Option<Duration>,
}

/// Executes stages. The future is dropped when the caller disconnects or the process
/// must stop, and must then roll back.
#[async_trait]
pub trait StageExecutor: Send + Sync + 'static {
    /// The names of the stages it executes.
    fn stages(&self) -> &'static [&'static str];

    /// Executes one attempt. When it returns, the stage is committed as SUCCEEDED.
    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError>;
}

/// Serves an executor as a `StageService`.
pub fn server<E: StageExecutor>(executor: E, context: &Context) -> StageServiceServer<StageHost<E>> {
    for stage in executor.stages() {
        // Growth is only visible in a counter that already exists.
        count_rows(&KeyValue::new("stage", *stage), &Counters::default());
    }
    let host = StageHost { executor: Arc::new(executor), hard_stop: context.hard_stop.clone() };
    StageServiceServer::new(host).max_decoding_message_size(MAX_REQUEST_BYTES)
}

/// Serves an executor over gRPC.
#[derive(Debug)]
pub struct StageHost<E> {
    executor: Arc<E>,
    hard_stop: CancellationToken,
}

#[async_trait]
impl<E: StageExecutor> StageService for StageHost<E> {
    type ExecuteStageStream = StageStream;

    async fn execute_stage(
        &self,
        request: Request<ExecuteStageRequest>,
    ) -> Result<Response<StageStream>, Status> {
        let call = parse(request.into_inner(), self.executor.stages())?;
        let (messages, received) = mpsc::channel(8);
        let caller_gone = self.hard_stop.child_token();
        let guard = caller_gone.clone().drop_guard();
        let span = call.span();
        tokio::spawn(execute(Arc::clone(&self.executor), call, messages, caller_gone).instrument(span));
        Ok(Response::new(StageStream { messages: ReceiverStream::new(received), _cancel_on_drop: guard }))
    }
}

/// A stage's messages; dropping the stream cancels the stage.
#[derive(Debug)]
pub struct StageStream {
    messages: ReceiverStream<Result<ExecuteStageResponse, Status>>,
    _cancel_on_drop: DropGuard,
}

impl Stream for StageStream {
    type Item = Result<ExecuteStageResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<Option<Self::Item>> {
        Pin::new(&mut self.messages).poll_next(cx)
    }
}

/// Runs the executor in its own task: it progresses however slowly the caller reads,
/// and is dropped here, not on the connection, once the caller has disconnected.
async fn execute<E: StageExecutor>(
    executor: Arc<E>,
    call: StageCall,
    messages: mpsc::Sender<Result<ExecuteStageResponse, Status>>,
    caller_gone: CancellationToken,
) {
    // A watch channel keeps only the latest progress: a slow reader skips some.
    let (latest, mut changes) = watch::channel(Progress::default());
    let sink: ProgressSink = Arc::new(move |progress| {
        latest.send_replace(progress);
    });
    let forward = async {
        while changes.changed().await.is_ok() {
            let progress = changes.borrow_and_update().clone();
            let update = Update::Progress(progress_to_proto(&progress));
            if messages.send(Ok(ExecuteStageResponse { update: Some(update) })).await.is_err() {
                return;
            }
        }
    };
    let stage = KeyValue::new("stage", call.fence.stage.clone());
    let began = Instant::now();
    let work = async {
        tokio::select! {
            outcome = executor.execute(call, sink) => outcome,
            () = caller_gone.cancelled() => Err(StageError {
                kind: FailureKind::Unavailable,
                message: "the stage was cancelled and rolled back: its caller went away or the service is stopping".to_owned(),
                retry_after: None,
            }),
        }
    };
    // `work` owns the sink, so `forward` ends when it does.
    let (outcome, ()) = tokio::join!(work, forward);
    count(stage, began.elapsed(), &outcome);
    let last = match outcome {
        Ok(StageOutcome { counters, remarks }) => {
            spans::record_counters(&Span::current(), &counters);
            info!(
                rows_read = counters.rows_read,
                rows_written = counters.rows_written,
                rows_unchanged = counters.rows_unchanged,
                rows_rejected = counters.rows_rejected,
                bytes_read = counters.bytes_read,
                "stage succeeded"
            );
            let result = StageResult { counters: Some(counters_to_proto(&counters)), remarks };
            Ok(ExecuteStageResponse { update: Some(Update::Result(result)) })
        }
        Err(error) => {
            warn!(kind = ?error.kind, error = %error, "stage failed");
            let status = status(error.kind, error.message, error.retry_after);
            spans::record_status(&Span::current(), code_name(status.code()), status.message());
            Err(status)
        }
    };
    // The caller may have disconnected; what is committed stays committed.
    let _ = messages.send(last).await;
}

fn count(stage: KeyValue, took: Duration, outcome: &Result<StageOutcome, StageError>) {
    let ended = if outcome.is_ok() { "succeeded" } else { "failed" };
    let attributes = [stage.clone(), KeyValue::new("outcome", ended)];
    metrics::STAGE_DURATION.histogram().record(took.as_secs_f64(), &attributes);
    if let Ok(StageOutcome { counters, .. }) = outcome {
        count_rows(&stage, counters);
    }
}

fn count_rows(stage: &KeyValue, counters: &Counters) {
    let rows = metrics::STAGE_ROWS.counter();
    for (kind, count) in [
        ("read", counters.rows_read),
        ("written", counters.rows_written),
        ("unchanged", counters.rows_unchanged),
        ("duplicate", counters.rows_duplicate),
        ("rejected", counters.rows_rejected),
        ("removed", counters.rows_removed),
    ] {
        rows.add(count, &[stage.clone(), KeyValue::new("kind", kind)]);
    }
    metrics::STAGE_BYTES.counter().add(counters.bytes_read, std::slice::from_ref(stage));
}

fn parse(request: ExecuteStageRequest, stages: &[&str]) -> Result<StageCall, FieldViolations> {
    if !stages.contains(&request.stage.as_str()) {
        let known = stages.join(", ");
        let problem = format!("{:?} is not executed here; this service executes {known}", request.stage);
        return Err(FieldViolations::of("stage", problem));
    }
    StageCall::from_proto(request)
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;

    use super::*;

    #[test]
    fn a_call_survives_the_way_there_and_back() {
        let fence = Fence { run_id: Uuid::from_u128(7), stage: "act_copy".to_owned(), attempt: 3, epoch: 9 };
        let call = StageCall {
            fence,
            pipeline: "pl_daily".to_owned(),
            window: DateWindow::parse("2026-01-01", "2026-01-02").unwrap(),
            accept_empty_days: parse_day("2026-01-02").into_iter().collect(),
        };
        assert_eq!(StageCall::from_proto(call.clone().into()), Ok(call));
    }
}
