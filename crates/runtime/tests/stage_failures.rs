//! What a caller learns about a stage's failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use domain::FailureKind;
use proto::stage::v1::{DateWindow, ExecuteStageRequest, stage_service_client::StageServiceClient};
use runtime::{
    Context, Service,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status};

/// Fails with a message.
struct Failing(String);

#[async_trait]
impl StageExecutor for Failing {
    fn stages(&self) -> &'static [&'static str] {
        &["act_fails"]
    }

    async fn execute(&self, _: StageCall, _: ProgressSink) -> Result<StageOutcome, StageError> {
        let message = self.0.clone();
        Err(StageError { kind: FailureKind::InvalidInput, message, retry_after: None })
    }
}

/// The status of calling `stage` on an executor that fails with `message`.
async fn failure(message: String, stage: String) -> Status {
    let mut service =
        Service::new("failing").with_grpc(runtime::stage::server(Failing(message), &Context::new()));
    let routes = service.grpc.remove(0).routes;
    let (channel, task) = runtime::channel::in_process("failing", routes, CancellationToken::new()).unwrap();
    let _server = AbortOnDropHandle::new(tokio::spawn(task.run));
    let day = "2026-01-01".to_owned();
    let request = ExecuteStageRequest {
        run_id: "01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11".to_owned(),
        stage,
        window: Some(DateWindow { start_date: day.clone(), end_date: day }),
        ..ExecuteStageRequest::default()
    };
    let call = StageServiceClient::new(channel).execute_stage(request).await;
    match call {
        Ok(stream) => stream.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    }
}

#[tokio::test]
async fn a_message_too_long_for_its_headers_still_arrives_with_its_beginning() {
    for piece in ["x", "é", "語", "\n", "%"] {
        let status = failure(format!("line 7: {}", piece.repeat(100_000)), "act_fails".to_owned()).await;
        assert_eq!(status.code(), Code::DataLoss, "{piece:?}: {status}");
        assert!(status.message().starts_with("line 7: "), "{piece:?}: {status}");
    }
}

#[tokio::test]
async fn a_request_that_is_quoted_in_its_refusal_does_not_blow_it_up() {
    let status = failure(String::new(), "語".repeat(100_000)).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}
