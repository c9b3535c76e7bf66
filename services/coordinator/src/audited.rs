//! What operators ask of the coordinator, with its records in the audit trail.

use std::future::Future;

use domain::{ActionOutcome, OperatorAction};
use proto::{pipeline::v1::TriggerRunRequest, stage::v1::DateWindow as DateWindowProto};
use runtime::{Auditor, Requester};
use tonic::{Code, Response, Status};

use crate::error::Error;

/// An answer, and what the audit trail says of it.
pub(crate) struct Done<T> {
    pub(crate) answer: T,
    pub(crate) message: String,
}

/// Records that an action was asked for, does it, and records how it ended. What is not
/// recorded is not done.
pub(crate) async fn audited<T: Send>(
    auditor: &Auditor,
    requester: &Requester,
    (action, details): (OperatorAction, String),
    work: impl Future<Output = Result<Done<T>, Status>> + Send,
) -> Result<Response<T>, Status> {
    let recorded = auditor.begin(requester, action, &details).await.map_err(Error::NotRecorded)?;
    match work.await {
        Ok(Done { answer, message }) => {
            recorded.end(ActionOutcome::Succeeded, &message).await;
            Ok(Response::new(answer))
        }
        Err(status) => {
            recorded.end(outcome(status.code()), status.message()).await;
            Err(status)
        }
    }
}

/// Whether an error refuses what was asked for, or is a failure to do it.
const fn outcome(code: Code) -> ActionOutcome {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => ActionOutcome::Refused,
        _ => ActionOutcome::Failed,
    }
}

/// The details of a trigger.
pub(crate) fn trigger_details(asked: &TriggerRunRequest) -> String {
    let TriggerRunRequest {
        pipeline: _,
        window,
        force,
        accept_empty_days,
        beyond_reach,
        rebuild_days,
        from_staging,
    } = asked;
    let accepting = format!("accepting {} as they are", accept_empty_days.join(" "));
    let rebuilding = format!("rebuilding {}", rebuild_days.join(" "));
    details(&[
        (true, &window.as_ref().map_or_else(|| "unpublished days".to_owned(), days)),
        (*force, "forced"),
        (*beyond_reach, "beyond reach"),
        (!accept_empty_days.is_empty(), &accepting),
        (!rebuild_days.is_empty(), &rebuilding),
        (*from_staging, "from staging"),
    ])
}

/// The details of an action on days.
pub(crate) fn days_details(window: Option<&DateWindowProto>, force: bool, beyond_reach: bool) -> String {
    let days = window.map_or_else(|| "no days".to_owned(), days);
    details(&[(true, &days), (force, "forced"), (beyond_reach, "beyond reach")])
}

/// The details of an action on a run.
pub(crate) fn run_details(run_id: &str) -> String {
    format!("run {run_id}")
}

fn days(window: &DateWindowProto) -> String {
    format!("{}..{}", window.start_date, window.end_date)
}

fn details(parts: &[(bool, &str)]) -> String {
    let said: Vec<&str> = parts.iter().filter(|(applies, _)| *applies).map(|(_, part)| *part).collect();
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_name_the_days_and_every_flag() {
        let window = DateWindowProto { start_date: "2026-01-01".into(), end_date: "2026-01-03".into() };
        assert_eq!(trigger_details(&TriggerRunRequest::default()), "unpublished days");
        let asked = TriggerRunRequest {
            pipeline: String::new(),
            window: Some(window.clone()),
            force: true,
            accept_empty_days: vec!["2026-01-02".into(), "2026-01-03".into()],
            beyond_reach: true,
            rebuild_days: vec!["2026-01-01".into()],
            from_staging: true,
        };
        assert_eq!(
            trigger_details(&asked),
            "2026-01-01..2026-01-03, forced, beyond reach, accepting 2026-01-02 2026-01-03 as they are, \
             rebuilding 2026-01-01, from staging"
        );
        assert_eq!(days_details(Some(&window), false, false), "2026-01-01..2026-01-03");
        assert_eq!(days_details(None, true, false), "no days, forced");
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        assert_eq!(outcome(Code::FailedPrecondition), ActionOutcome::Refused);
        assert_eq!(outcome(Code::NotFound), ActionOutcome::Refused);
        assert_eq!(outcome(Code::Unavailable), ActionOutcome::Failed);
        assert_eq!(outcome(Code::Internal), ActionOutcome::Failed);
    }
}
