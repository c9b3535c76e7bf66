//! One public `StageService` in front of the services that execute stages.

use std::collections::BTreeMap;

use contract::FieldViolations;
use proto::stage::v1::{
    ExecuteStageRequest, ExecuteStageResponse, stage_service_client::StageServiceClient,
    stage_service_server::StageService,
};
use runtime::Channel;
use tonic::{Extensions, Request, Response, Status, Streaming, async_trait};

/// Forwards each call to the service that executes its stage. Several services
/// implement `StageService`, and a port can serve that name only once.
#[derive(Debug, Clone, Default)]
pub struct StageRouter {
    executors: BTreeMap<&'static str, StageServiceClient<Channel>>,
}

impl StageRouter {
    /// Adds a service that executes `stages`.
    #[must_use]
    pub fn with_executor(mut self, stages: &[&'static str], channel: &Channel) -> Self {
        let client = StageServiceClient::new(channel.clone());
        self.executors.extend(stages.iter().map(|stage| (*stage, client.clone())));
        self
    }

    fn executor(&self, stage: &str) -> Result<StageServiceClient<Channel>, FieldViolations> {
        self.executors.get(stage).cloned().ok_or_else(|| {
            let stages: Vec<&str> = self.executors.keys().copied().collect();
            FieldViolations::of("stage", format!("{stage:?} is none of {}", stages.join(", ")))
        })
    }
}

#[async_trait]
impl StageService for StageRouter {
    type ExecuteStageStream = Streaming<ExecuteStageResponse>;

    /// The answer is the executor's own stream: dropping it closes that stream,
    /// which cancels the stage.
    async fn execute_stage(
        &self,
        request: Request<ExecuteStageRequest>,
    ) -> Result<Response<Self::ExecuteStageStream>, Status> {
        let mut executor = self.executor(&request.get_ref().stage)?;
        // The metadata carries the caller's deadline and trace; extensions
        // belong to the incoming connection.
        let (metadata, _, message) = request.into_parts();
        executor.execute_stage(Request::from_parts(metadata, Extensions::default(), message)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Counters, FailureKind, Progress};
    use proto::stage::v1::{DateWindow, execute_stage_response::Update};
    use runtime::{
        Context, Service,
        stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
    };
    use tokio::sync::Notify;
    use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

    use super::*;

    /// Succeeds, fails or waits forever, depending on the stage's name.
    struct Scripted {
        dropped: Arc<Notify>,
    }

    struct NotifyOnDrop(Arc<Notify>);

    impl Drop for NotifyOnDrop {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    #[async_trait]
    impl StageExecutor for Scripted {
        fn stages(&self) -> &'static [&'static str] {
            &["act_works", "act_fails", "act_hangs"]
        }

        async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
            progress(Progress { activity: call.fence.stage.clone(), ..Progress::default() });
            match call.fence.stage.as_str() {
                "act_works" => {
                    let counters = Counters { rows_read: 3, rows_written: 3, ..Counters::default() };
                    Ok(StageOutcome { counters, remarks: vec![call.window.to_string()] })
                }
                "act_hangs" => {
                    let _dropped = NotifyOnDrop(Arc::clone(&self.dropped));
                    std::future::pending().await
                }
                _ => Err(StageError {
                    kind: FailureKind::InvalidInput,
                    message: "line 7 is broken".to_owned(),
                    retry_after: None,
                }),
            }
        }
    }

    struct Rig {
        router: StageRouter,
        dropped: Arc<Notify>,
        _server: AbortOnDropHandle<anyhow::Result<()>>,
    }

    fn rig() -> Rig {
        let dropped = Arc::new(Notify::new());
        let executor = Scripted { dropped: Arc::clone(&dropped) };
        let mut service =
            Service::new("scripted").with_grpc(runtime::stage::server(executor, &Context::new()));
        let routes = service.grpc.remove(0).routes;
        let (channel, task) =
            runtime::channel::in_process("scripted", routes, CancellationToken::new()).unwrap();
        Rig {
            router: StageRouter::default().with_executor(&["act_works", "act_fails", "act_hangs"], &channel),
            dropped,
            _server: AbortOnDropHandle::new(tokio::spawn(task.run)),
        }
    }

    fn call(stage: &str) -> Request<ExecuteStageRequest> {
        let day = "2026-01-01".to_owned();
        Request::new(ExecuteStageRequest {
            run_id: "01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11".to_owned(),
            stage: stage.to_owned(),
            window: Some(DateWindow { start_date: day.clone(), end_date: day }),
            attempt: 1,
            lease_epoch: 1,
            ..ExecuteStageRequest::default()
        })
    }

    async fn last_message(stream: Streaming<ExecuteStageResponse>) -> Result<Option<Update>, Status> {
        let mut stream = stream;
        let mut last = None;
        while let Some(message) = stream.message().await? {
            last = message.update;
        }
        Ok(last)
    }

    #[tokio::test]
    async fn a_stage_is_executed_by_its_service() {
        let rig = rig();
        let stream = rig.router.execute_stage(call("act_works")).await.unwrap().into_inner();
        let Some(Update::Result(result)) = last_message(stream).await.unwrap() else { panic!("no result") };
        assert_eq!(result.counters.unwrap().rows_written, 3);
        assert_eq!(result.remarks, ["2026-01-01"]);
    }

    #[tokio::test]
    async fn a_failure_reaches_the_caller_unchanged() {
        let rig = rig();
        let stream = rig.router.execute_stage(call("act_fails")).await.unwrap().into_inner();
        let status = last_message(stream).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::DataLoss, "line 7 is broken"));
    }

    #[tokio::test]
    async fn dropping_the_stream_cancels_the_stage() {
        let rig = rig();
        let mut stream = rig.router.execute_stage(call("act_hangs")).await.unwrap().into_inner();
        assert!(matches!(stream.message().await.unwrap().unwrap().update, Some(Update::Progress(_))));
        drop(stream);
        rig.dropped.notified().await;
    }

    #[tokio::test]
    async fn an_unknown_stage_is_refused_with_the_known_ones() {
        let status = rig().router.execute_stage(call("act_unknown")).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(
            status.message().ends_with("none of act_fails, act_hangs, act_works"),
            "{}",
            status.message()
        );
    }
}
