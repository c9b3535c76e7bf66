//! One call of a stage service, from the request to its single result.

use std::time::Duration;

use contract::{
    is_transport_failure,
    message::{counters_from_proto, progress_from_proto},
    message_with_causes,
};
use domain::{Counters, Progress};
use proto::stage::v1::{
    ExecuteStageRequest, ExecuteStageResponse, execute_stage_response::Update,
    stage_service_client::StageServiceClient,
};
use runtime::{Channel, stage::StageCall};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use warehouse::{Fence, Run};

/// How long a service may take to end the stream after its result.
const STATUS_WAIT: Duration = Duration::from_secs(1);

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptFailure {
    /// The status code.
    pub(crate) code: Code,
    /// What went wrong, for people.
    pub(crate) message: String,
    /// Whether another attempt may succeed with nothing else changed.
    pub(crate) is_transient: bool,
    /// Whether the attempt was cut off: its connection broke, or the service
    /// went away. It says nothing about the stage.
    pub(crate) is_interruption: bool,
    /// The wait that the service asked for.
    pub(crate) retry_after: Option<Duration>,
}

impl AttemptFailure {
    /// A failure that a retry cannot fix.
    pub(crate) const fn lasting(code: Code, message: String) -> Self {
        Self { code, message, is_transient: false, is_interruption: false, retry_after: None }
    }

    const fn transient(code: Code, message: String) -> Self {
        Self { code, message, is_transient: true, is_interruption: false, retry_after: None }
    }

    const fn interrupted(message: String) -> Self {
        Self {
            code: Code::Unavailable,
            message,
            is_transient: true,
            is_interruption: true,
            retry_after: None,
        }
    }

    /// Interprets a status. This side never cancels and then reads the answer:
    /// if a call was cancelled, the connection or the service went away.
    fn from_status(service: &str, status: &Status) -> Self {
        if let Some(message) = connection_failure(service, status) {
            return Self::interrupted(message);
        }
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let (code, message) = (status.code(), status.message().to_owned());
        let is_interruption = code == Code::Cancelled;
        let is_transient = is_interruption || contract::is_transient(code);
        Self { code, message, is_transient, is_interruption, retry_after }
    }
}

/// The failure of the connection to `service`; `None` if the service itself answered.
pub(crate) fn connection_failure(service: &str, status: &Status) -> Option<String> {
    let failed = || format!("the connection to {service} failed: {}", message_with_causes(status));
    is_transport_failure(status).then(failed)
}

/// The request for an attempt.
pub(crate) fn request(run: &Run, fence: &Fence) -> ExecuteStageRequest {
    let call = StageCall {
        fence: fence.clone(),
        pipeline: run.pipeline.clone(),
        window: run.window,
        accept_empty_days: run.accept_empty_days.clone(),
    };
    call.into()
}

/// Executes one attempt and returns what the service says it committed.
/// Dropping the future cancels the stage.
///
/// # Errors
/// If the service failed, went away, took longer than `timeout` or ended
/// without a result. It may still have committed: ask the store.
pub(crate) async fn execute(
    channel: Channel,
    service: &str,
    request: ExecuteStageRequest,
    timeout: Duration,
    on_progress: impl Fn(Progress),
) -> Result<Counters, AttemptFailure> {
    let outcome = tokio::time::timeout(timeout, stream(channel, request, on_progress)).await;
    match outcome {
        Ok(Ok(Some(counters))) => Ok(counters),
        Ok(Ok(None)) => {
            Err(AttemptFailure::interrupted(format!("{service} ended the stage without a result")))
        }
        Ok(Err(status)) => Err(AttemptFailure::from_status(service, &status)),
        Err(_) => Err(AttemptFailure::transient(
            Code::DeadlineExceeded,
            format!(
                "the stage took longer than its timeout of {} and was cancelled",
                humantime::format_duration(timeout)
            ),
        )),
    }
}

async fn stream(
    channel: Channel,
    request: ExecuteStageRequest,
    on_progress: impl Fn(Progress),
) -> Result<Option<Counters>, Status> {
    let mut messages = StageServiceClient::new(channel).execute_stage(request).await?.into_inner();
    while let Some(ExecuteStageResponse { update }) = messages.message().await? {
        match update {
            Some(Update::Progress(progress)) => on_progress(progress_from_proto(progress)),
            Some(Update::Result(result)) => {
                // Dropping a stream before its status counts as cancellation on
                // both ends. The status itself does not matter: the result has
                // arrived, and the store confirms it.
                let _ = tokio::time::timeout(STATUS_WAIT, messages.message()).await;
                return Ok(Some(result.counters.as_ref().map(counters_from_proto).unwrap_or_default()));
            }
            // A kind of update from a newer service.
            None => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::FailureKind;

    use super::*;

    #[test]
    fn only_codes_that_promise_something_are_transient() {
        for (kind, expected) in [
            (FailureKind::Unavailable, true),
            (FailureKind::Exhausted, true),
            (FailureKind::TimedOut, true),
            (FailureKind::Conflict, true),
            (FailureKind::Cancelled, true),
            (FailureKind::InvalidArgument, false),
            (FailureKind::NotFound, false),
            (FailureKind::FailedPrecondition, false),
            (FailureKind::Unauthenticated, false),
            (FailureKind::InvalidInput, false),
            (FailureKind::Internal, false),
        ] {
            let failure = AttemptFailure::from_status("transform", &contract::status(kind, "no", None));
            assert_eq!(failure.is_transient, expected, "{kind:?}");
            assert_eq!(failure.message, "no");
        }
    }

    #[test]
    fn the_wait_that_a_service_asks_for_is_heard() {
        let wait = Duration::from_secs(17);
        let status = contract::status(FailureKind::Exhausted, "slow down", Some(wait));
        assert_eq!(AttemptFailure::from_status("ingest-api", &status).retry_after, Some(wait));
    }

    #[test]
    fn a_lost_connection_is_transient_whatever_its_code() {
        let mut status = Status::unknown("transport error");
        status.set_source(Arc::new(std::io::Error::other("broken pipe")));
        let failure = AttemptFailure::from_status("ingest-crm", &status);
        assert_eq!((failure.code, failure.is_transient), (Code::Unavailable, true));
        assert!(failure.is_interruption);
        assert_eq!(failure.message, "the connection to ingest-crm failed: transport error: broken pipe");
        let answered = AttemptFailure::from_status("ingest-crm", &Status::unknown("a defect"));
        assert!(!answered.is_transient);
    }

    #[tokio::test]
    async fn a_service_that_is_away_is_named() {
        let channel = runtime::channel::connect("http://127.0.0.1:1").unwrap();
        let request = ExecuteStageRequest::default();
        let outcome = execute(channel, "ingest-crm", request, Duration::from_secs(30), |_| ()).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.code, failure.is_transient), (Code::Unavailable, true));
        assert!(failure.message.starts_with("the connection to ingest-crm failed: "), "{}", failure.message);
    }
}
