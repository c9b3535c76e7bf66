//! What can go wrong in the coordinator, and what callers learn about it.

use chrono::NaiveDate;
use contract::FieldViolations;
use domain::{DateWindow, FailureKind, RunState};
use tonic::Status;
use uuid::Uuid;

/// Errors of the coordinator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request is invalid.
    #[error(transparent)]
    InvalidRequest(#[from] FieldViolations),
    /// There is no such run.
    #[error("there is no run {0}; list the runs to see which there are")]
    RunNotFound(Uuid),
    /// A run of a backfill did not succeed.
    #[error(
        "the backfill stopped at {window}: run {run_id} is {state}{reason}; days before it are done. \
         Once the cause is gone, retry that run, or start the backfill again: it continues at its first open \
         day, or at the --from that it is given with --force"
    )]
    BackfillStopped {
        /// The run.
        run_id: Uuid,
        /// Its days.
        window: DateWindow,
        /// How it ended.
        state: RunState,
        /// Which stage failed and why, if one did; starts with a separator.
        reason: String,
    },
    /// None of the days is published, so there is nothing to unpublish.
    #[error("no day of {0} is published: there is nothing to take back")]
    NothingPublished(DateWindow),
    /// No service can unpublish days.
    #[error("the pipeline has no stage {0}, whose service takes published days back")]
    NoPublisher(&'static str),
    /// No service can build from what is staged.
    #[error("the pipeline has no stage {0}, which builds from what is staged")]
    NoBuild(&'static str),
    /// No service can preview a backfill.
    #[error("the pipeline has no stage {0}, whose service previews what a backfill would change")]
    NoPreview(&'static str),
    /// The service that would preview a backfill does not know the call.
    #[error("{0} cannot preview a backfill: it is older than this coordinator, or another service")]
    CannotPreview(String),
    /// No service can explain a company-day.
    #[error("the pipeline has no stage {0}, whose service explains what is published")]
    NoExplanation(&'static str),
    /// The service that would explain a company-day does not know the call.
    #[error("{0} cannot explain what is published: it is older than this coordinator, or another service")]
    CannotExplain(String),
    /// No service can say where staged data comes from.
    #[error("the pipeline has no stage {0}, whose service says where staged data comes from")]
    NoProvenance(&'static str),
    /// The service that would say where staged data comes from does not know the call.
    #[error(
        "{0} cannot say where staged data comes from: it is older than this coordinator, or another service"
    )]
    UnknownProvenance(String),
    /// A day is not published.
    #[error("{0} is not published, so no run has published it")]
    NotPublished(NaiveDate),
    /// No service can reconcile.
    #[error("the pipeline has no stage {0}, whose service compares what is published with the product API")]
    NoReconciliation(&'static str),
    /// The service that would reconcile does not know the call.
    #[error("{0} cannot compare with the product API: it is older than this coordinator, or another service")]
    CannotReconcile(String),
    /// The service that reconciles ended its answer early.
    #[error("{0} ended the comparison before its summary; reconcile again")]
    Unfinished(String),
    /// A row is not in quarantine.
    #[error(
        "line {line} of {origin} is not in quarantine: it never was, or a later load of the file could use it"
    )]
    NotQuarantined {
        /// The file.
        origin: String,
        /// The line.
        line: u64,
    },
    /// The process is shutting down.
    #[error("the coordinator is shutting down; ask again")]
    ShuttingDown,
    /// An action could not be recorded, so it was not done.
    #[error("nothing was done, because the audit trail could not record it: {0}")]
    NotRecorded(#[source] warehouse::Error),
    /// Storage failed.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::InvalidRequest(_) => FailureKind::InvalidArgument,
            Self::RunNotFound(_) | Self::NotPublished(_) | Self::NotQuarantined { .. } => {
                FailureKind::NotFound
            }
            Self::BackfillStopped { .. }
            | Self::NoPreview(_)
            | Self::CannotPreview(_)
            | Self::NoExplanation(_)
            | Self::CannotExplain(_)
            | Self::NoProvenance(_)
            | Self::UnknownProvenance(_)
            | Self::NoReconciliation(_)
            | Self::CannotReconcile(_)
            | Self::NothingPublished(_)
            | Self::NoPublisher(_)
            | Self::NoBuild(_) => FailureKind::FailedPrecondition,
            Self::Unfinished(_) => FailureKind::Internal,
            Self::ShuttingDown => FailureKind::Unavailable,
            Self::NotRecorded(error) | Self::Warehouse(error) => error.kind(),
        }
    }
}

impl From<Error> for Status {
    fn from(failure: Error) -> Self {
        let kind = failure.kind();
        let message = match failure {
            Error::InvalidRequest(violations) => return violations.into(),
            reported => reported.to_string(),
        };
        contract::status(kind, message, None)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    fn reported(error: Error) -> (Code, String) {
        let status = Status::from(error);
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn an_invalid_request_names_its_fields() {
        let status = Status::from(Error::from(FieldViolations::of("run_id", "is empty")));
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations.first().map(|violation| violation.field.as_str()), Some("run_id"));
    }

    #[test]
    fn a_missing_run_is_not_found() {
        let (code, message) = reported(Error::RunNotFound(Uuid::nil()));
        assert_eq!(code, Code::NotFound);
        assert!(message.contains(&Uuid::nil().to_string()), "{message}");
    }

    #[test]
    fn a_stopped_backfill_says_where_and_why() {
        let (code, message) = reported(Error::BackfillStopped {
            run_id: Uuid::nil(),
            window: DateWindow::parse("2026-01-01", "2026-01-31").unwrap(),
            state: RunState::Failed,
            reason: ": act_copy_crm_csv failed: no file".to_owned(),
        });
        assert_eq!(code, Code::FailedPrecondition);
        assert!(message.starts_with("the backfill stopped at 2026-01-01..2026-01-31: run 0"), "{message}");
        assert!(message.contains("is FAILED: act_copy_crm_csv failed: no file"), "{message}");
    }

    #[test]
    fn a_pipeline_without_the_product_api_cannot_be_previewed() {
        let (code, message) = reported(Error::NoPreview("act_call_product_api"));
        assert_eq!(code, Code::FailedPrecondition);
        assert!(message.contains("no stage act_call_product_api"), "{message}");
    }

    #[test]
    fn shutting_down_may_be_retried() {
        assert_eq!(reported(Error::ShuttingDown).0, Code::Unavailable);
    }

    #[test]
    fn the_databases_own_words_stay_inside() {
        let secret = || "password=hunter2".into();
        for (error, expected) in [
            (warehouse::Error::Internal(secret()), Code::Internal),
            (warehouse::Error::Unavailable(secret()), Code::Unavailable),
        ] {
            let (code, message) = reported(error.into());
            assert_eq!(code, expected);
            assert!(!message.contains("hunter2"), "{message}");
        }
        let (code, message) =
            reported(warehouse::Error::Precondition("run 7 has succeeded".to_owned()).into());
        assert_eq!((code, message.as_str()), (Code::FailedPrecondition, "run 7 has succeeded"));
    }
}
