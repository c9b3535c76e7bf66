//! Scripted stage services and a scripted notifier.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::{
    Counters, FailureKind, Progress,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::notifier::v1::{
    Alert, Channel, ChannelDelivery, DeliveryState, NotifyRequest, NotifyResponse,
    notifier_service_server::NotifierService,
};
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tokio::sync::{Barrier, Notify, watch};
use tonic::{Request, Response, Status};
use warehouse::SharedWarehouse;

use crate::suite::{ScriptedClock, in_time};

/// What one execution of a stage does. Without a step, it commits.
#[derive(Clone)]
pub(crate) enum Step {
    /// Fails without committing.
    Fail(FailureKind, &'static str),
    /// Never ends on its own.
    Hang,
    /// Commits once others have reached the barrier.
    Meet(Arc<Barrier>),
    /// Reports progress, then commits when notified.
    Await(Arc<Notify>),
    /// Commits, then breaks before it can answer.
    CommitAndBreak,
    /// Claims to have committed, but has not.
    Lie,
}

/// The script of the stages, and the calls they received.
#[derive(Default)]
pub(crate) struct Script {
    steps: Mutex<HashMap<&'static str, VecDeque<Step>>>,
    calls: watch::Sender<Vec<StageCall>>,
    cancelled: watch::Sender<Vec<StageCall>>,
}

impl Script {
    /// Sets what the next executions of a stage do.
    pub(crate) fn plan(&self, stage: &'static str, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap().entry(stage).or_default().extend(steps);
    }

    /// The stages executed so far, in the order they started.
    pub(crate) fn executed(&self) -> Vec<String> {
        self.calls.borrow().iter().map(|call| call.fence.stage.clone()).collect()
    }

    /// The calls of one stage so far.
    pub(crate) fn calls(&self, stage: &str) -> Vec<StageCall> {
        self.calls.borrow().iter().filter(|call| call.fence.stage == stage).cloned().collect()
    }

    /// Waits until a stage is executing for the `count`-th time.
    pub(crate) async fn called(&self, stage: &str, count: usize) -> StageCall {
        nth(&self.calls, stage, count).await
    }

    /// Waits until an execution of a stage is dropped before its end.
    pub(crate) async fn cancelled(&self, stage: &str) -> StageCall {
        nth(&self.cancelled, stage, 1).await
    }

    fn next_step(&self, stage: &str) -> Option<Step> {
        self.steps.lock().unwrap().get_mut(stage)?.pop_front()
    }
}

async fn nth(calls: &watch::Sender<Vec<StageCall>>, stage: &str, count: usize) -> StageCall {
    let of_stage = |calls: &Vec<StageCall>| {
        calls.iter().filter(|call| call.fence.stage == stage).nth(count - 1).cloned()
    };
    let mut received = calls.subscribe();
    let calls = in_time(received.wait_for(|calls| of_stage(calls).is_some())).await.unwrap();
    of_stage(&calls).unwrap()
}

/// Records an execution that is dropped before it ends.
struct Unfinished<'a>(&'a Script, Option<StageCall>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.1.take() {
            self.0.cancelled.send_modify(|cancelled| cancelled.push(call));
        }
    }
}

/// Executes stages according to the script.
pub(crate) struct ScriptedStages {
    pub(crate) script: Arc<Script>,
    pub(crate) warehouse: SharedWarehouse,
    pub(crate) clock: Arc<ScriptedClock>,
}

/// What every scripted stage commits.
pub(crate) const COMMITTED: Counters = Counters {
    rows_read: 3,
    rows_written: 3,
    rows_unchanged: 0,
    rows_duplicate: 0,
    rows_rejected: 0,
    rows_removed: 0,
    bytes_read: 30,
};

impl ScriptedStages {
    async fn commit(&self, call: &StageCall) -> Result<StageOutcome, StageError> {
        let now = self.clock.now();
        let committed = self.warehouse.complete_stage(&call.fence, COMMITTED, &[], now).await;
        committed.map_err(|error| failure(error.kind(), &error.to_string()))?;
        Ok(StageOutcome { counters: COMMITTED, remarks: vec![] })
    }

    async fn act(&self, call: &StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        match self.script.next_step(&call.fence.stage) {
            None => {}
            Some(Step::Fail(kind, message)) => return Err(failure(kind, message)),
            Some(Step::Hang) => std::future::pending::<()>().await,
            Some(Step::Meet(barrier)) => {
                barrier.wait().await;
            }
            Some(Step::Await(go)) => {
                progress(Progress { units_done: 1, units_total: 2, ..Progress::default() });
                go.notified().await;
            }
            Some(Step::CommitAndBreak) => {
                self.commit(call).await?;
                return Err(failure(FailureKind::Unavailable, "the connection broke"));
            }
            Some(Step::Lie) => return Ok(StageOutcome::default()),
        }
        self.commit(call).await
    }
}

fn failure(kind: FailureKind, message: &str) -> StageError {
    StageError { kind, message: message.to_owned(), retry_after: None }
}

#[async_trait]
impl StageExecutor for ScriptedStages {
    fn stages(&self) -> &'static [&'static str] {
        &[STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT, STAGE_VALIDATE]
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        self.script.calls.send_modify(|calls| calls.push(call.clone()));
        let mut unfinished = Unfinished(&self.script, Some(call.clone()));
        let outcome = self.act(&call, progress).await;
        unfinished.1 = None;
        outcome
    }
}

/// Accepts alerts, and answers with the planned states, then with DELIVERED.
#[derive(Clone, Default)]
pub(crate) struct ScriptedNotifier {
    pub(crate) answers: Arc<Mutex<VecDeque<Result<DeliveryState, Status>>>>,
    pub(crate) alerts: watch::Sender<Vec<Alert>>,
}

impl ScriptedNotifier {
    /// Waits for the `count`-th alert.
    pub(crate) async fn reported(&self, count: usize) -> Vec<Alert> {
        let mut alerts = self.alerts.subscribe();
        in_time(alerts.wait_for(|alerts| alerts.len() >= count)).await.unwrap().clone()
    }

    /// Waits for the alert with this key. Others may arrive before it, some twice.
    pub(crate) async fn reported_by_key(&self, alert_key: &str) -> Alert {
        let mut alerts = self.alerts.subscribe();
        let of_key = |alerts: &[Alert]| alerts.iter().find(|alert| alert.alert_key == alert_key).cloned();
        let reported = in_time(alerts.wait_for(|alerts| of_key(alerts).is_some())).await.unwrap();
        of_key(&reported).unwrap()
    }
}

#[async_trait]
impl NotifierService for ScriptedNotifier {
    async fn notify(&self, request: Request<NotifyRequest>) -> Result<Response<NotifyResponse>, Status> {
        let alert = request.into_inner().alert.unwrap();
        self.alerts.send_modify(|alerts| alerts.push(alert));
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(DeliveryState::Delivered));
        let delivery = ChannelDelivery {
            channel: Channel::Slack.into(),
            state: answer?.into(),
            error_message: "as planned".to_owned(),
            retry_after: None,
        };
        Ok(Response::new(NotifyResponse { deliveries: vec![delivery] }))
    }
}
