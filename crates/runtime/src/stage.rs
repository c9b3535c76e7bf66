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
use domain::{Counters, DateWindow, FailureKind, Progress, date_window::parse_day};
use futures::Stream;
use opentelemetry::KeyValue;
use proto::stage::v1::{
    DateWindow as DateWindowProto, ExecuteStageRequest, ExecuteStageResponse, StageCounters, StageProgress,
    StageResult,
    execute_stage_response::Update,
    stage_service_server::{StageService, StageServiceServer},
};
use telemetry::{metrics, spans, stage_spans::StageAttempt};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};
use tracing::{Instrument, Span, info, warn};
use uuid::Uuid;

use crate::{
    context::Context,
    field_violations::FieldViolations,
    status::{code_name, status},
};

/// Where a stage tells how far it has got. Never blocks.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// One attempt of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCall {
    /// The run.
    pub run_id: Uuid,
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage's name.
    pub stage: String,
    /// The run's business days.
    pub window: DateWindow,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The epoch at which the coordinator holds the run's lease.
    pub epoch: i64,
    /// Days whose answer is believed however little it holds, because a person said so.
    pub accept_empty_days: BTreeSet<NaiveDate>,
}

impl StageCall {
    fn span(&self) -> Span {
        let Self { run_id, pipeline, stage, window, attempt, .. } = self;
        let attempt = StageAttempt { pipeline, stage, run_id: *run_id, window: *window, attempt: *attempt };
        attempt.span(&format!("execute {stage}"))
    }
}

/// What a stage committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageOutcome {
    /// The final counters.
    pub counters: Counters,
    /// Remarks for people that are no failure.
    pub remarks: Vec<String>,
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What was wrong, where, and what to do.
    pub message: String,
    /// How long to wait before a retry, if the source said so.
    pub retry_after: Option<Duration>,
}

/// Executes stages. The future is dropped when the caller goes away or the
/// process must stop, and has to roll back then.
#[async_trait]
pub trait StageExecutor: Send + Sync + 'static {
    /// The names of the stages it executes.
    fn stages(&self) -> &'static [&'static str];

    /// Executes one attempt. By the time it returns, the stage is committed as
    /// SUCCEEDED.
    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError>;
}

/// Serves an executor as a `StageService`.
pub fn server<E: StageExecutor>(executor: E, context: &Context) -> StageServiceServer<StageHost<E>> {
    for stage in executor.stages() {
        // A counter that is not there yet could not be seen to grow.
        count_rows(&KeyValue::new("stage", *stage), &Counters::default());
    }
    StageServiceServer::new(StageHost { executor: Arc::new(executor), hard_stop: context.hard_stop.clone() })
}

/// The gRPC face of an executor.
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

/// A stage's messages; dropping it cancels the stage.
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

/// Runs the executor in a task of its own: it gets on however slowly the caller
/// reads, and is dropped here, not on the connection, once the caller is gone.
async fn execute<E: StageExecutor>(
    executor: Arc<E>,
    call: StageCall,
    messages: mpsc::Sender<Result<ExecuteStageResponse, Status>>,
    caller_gone: CancellationToken,
) {
    // A watch channel keeps only the newest progress: a slow reader skips some.
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
    let stage = KeyValue::new("stage", call.stage.clone());
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
    // The caller may be gone; what is committed stays committed.
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
    let window = request.window.ok_or_else(|| FieldViolations::of("window", "is missing"))?;
    Ok(StageCall {
        run_id: Uuid::parse_str(&request.run_id).map_err(|error| FieldViolations::of("run_id", error))?,
        pipeline: request.pipeline,
        stage: request.stage,
        window: window_from_proto(&window).map_err(|error| FieldViolations::of("window", error))?,
        attempt: request.attempt,
        epoch: request.lease_epoch,
        accept_empty_days: days_from_proto("accept_empty_days", &request.accept_empty_days)?,
    })
}

fn days_from_proto(field: &'static str, days: &[String]) -> Result<BTreeSet<NaiveDate>, FieldViolations> {
    let day = |text: &String| {
        let problem = || FieldViolations::of(field, format!("{text:?} is no day of the form YYYY-MM-DD"));
        parse_day(text).ok_or_else(problem)
    };
    days.iter().map(day).collect()
}

/// The days of a window message.
///
/// # Errors
/// If they are no days or in the wrong order.
pub fn window_from_proto(window: &DateWindowProto) -> Result<DateWindow, domain::date_window::InvalidWindow> {
    DateWindow::parse(&window.start_date, &window.end_date)
}

/// A window as a message.
#[must_use]
pub fn window_to_proto(window: DateWindow) -> DateWindowProto {
    DateWindowProto { start_date: window.start().to_string(), end_date: window.end().to_string() }
}

/// Counters as a message.
#[must_use]
pub const fn counters_to_proto(counters: &Counters) -> StageCounters {
    StageCounters {
        rows_read: counters.rows_read,
        rows_written: counters.rows_written,
        rows_unchanged: counters.rows_unchanged,
        rows_duplicate: counters.rows_duplicate,
        rows_rejected: counters.rows_rejected,
        rows_removed: counters.rows_removed,
        bytes_read: counters.bytes_read,
    }
}

/// The counters of a message.
#[must_use]
pub const fn counters_from_proto(counters: &StageCounters) -> Counters {
    Counters {
        rows_read: counters.rows_read,
        rows_written: counters.rows_written,
        rows_unchanged: counters.rows_unchanged,
        rows_duplicate: counters.rows_duplicate,
        rows_rejected: counters.rows_rejected,
        rows_removed: counters.rows_removed,
        bytes_read: counters.bytes_read,
    }
}

/// Progress as a message.
#[must_use]
pub fn progress_to_proto(progress: &Progress) -> StageProgress {
    StageProgress {
        counters: Some(counters_to_proto(&progress.counters)),
        units_done: progress.units_done,
        units_total: progress.units_total,
        activity: progress.activity.clone(),
    }
}

/// The progress of a message.
#[must_use]
pub fn progress_from_proto(progress: StageProgress) -> Progress {
    Progress {
        counters: progress.counters.as_ref().map(counters_from_proto).unwrap_or_default(),
        units_done: progress.units_done,
        units_total: progress.units_total,
        activity: progress.activity,
    }
}
