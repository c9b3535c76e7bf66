//! Errors of this service.

use std::time::Duration;

use chrono::NaiveDate;
use contract::FieldViolations;
use domain::{CompanyId, FailureKind, counters::Imbalance};
use egress::Refusal;
use reqwest::StatusCode;
use runtime::stage::StageError;
use secret::SecretError;
use tonic::Status;

use crate::page::PageRef;

/// What can go wrong in this service. No message contains the token or the
/// product API's URL, which may grant access.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token cannot be read.
    #[error("the product API's token: {0}")]
    Token(#[from] SecretError),
    /// The token cannot be sent.
    #[error(
        "the product API's token holds characters that no HTTP header can carry; check how it was stored"
    )]
    UnusableToken,
    /// The product API rejected our credentials.
    #[error(
        "{at}: the product API refused the token ({status}); check --product-api-token or \
         --product-api-token-file, and whether the token has expired"
    )]
    Unauthenticated {
        /// Which page.
        at: PageRef,
        /// 401 or 403.
        status: StatusCode,
    },
    /// The product API rejected the request for good.
    #[error(
        "{at}: the product API answered {status}, which trying again will not change; check --product-api-url \
         (redirects are not followed) and --page-size; if it knows no days before one, name that with \
         --history-start"
    )]
    RequestRefused {
        /// Which page.
        at: PageRef,
        /// Neither success, nor 401, 403, 408, 429 or 5xx.
        status: StatusCode,
    },
    /// The product API's host is at an address that requests may not go to.
    #[error("{at}: the product API was not asked: {refusal}")]
    NotAllowed {
        /// Which page.
        at: PageRef,
        /// The address, and which option allows it.
        refusal: Refusal,
    },
    /// The product API asks us to wait.
    #[error("{at}: the product API is throttling ({status})")]
    Throttled {
        /// Which page.
        at: PageRef,
        /// 429.
        status: StatusCode,
        /// How long to wait, if the answer says so.
        retry_after: Option<Duration>,
    },
    /// The product API failed.
    #[error("{at}: the product API failed ({status})")]
    ServerFailed {
        /// Which page.
        at: PageRef,
        /// 408 or 5xx.
        status: StatusCode,
        /// How long to wait, if the answer says so.
        retry_after: Option<Duration>,
    },
    /// The connection failed or was lost.
    #[error("{at}: no answer from the product API: {cause}")]
    Connection {
        /// Which page.
        at: PageRef,
        /// The causes, outermost first.
        cause: String,
    },
    /// The answer was cut off.
    #[error("{at}: the product API's answer breaks off after {received} bytes")]
    BrokenOff {
        /// Which page.
        at: PageRef,
        /// Bytes received.
        received: usize,
    },
    /// The answer took too long.
    #[error("{at}: the product API did not answer within {}", humantime::format_duration(*.limit))]
    TimedOut {
        /// Which page.
        at: PageRef,
        /// The time limit.
        limit: Duration,
    },
    /// The answer does not follow the contract.
    #[error(
        "{at}: the product API's answer is not of the form {{\"data\": [...]}}: {problem} at line {line} \
         column {column}: {excerpt}"
    )]
    Malformed {
        /// Which page.
        at: PageRef,
        /// What is wrong.
        problem: String,
        /// The line in the body, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The text at that position.
        excerpt: String,
    },
    /// The answer reports a failure, whatever its status.
    #[error("{at}: the product API answered 200, but says that it failed: {reported}")]
    SaysItFailed {
        /// Which page.
        at: PageRef,
        /// The failure it reports.
        reported: String,
    },
    /// The answer has an encoding that we cannot decode.
    #[error(
        "{at}: the product API's answer is encoded as {encoding}; it must be UTF-8 JSON, plain or with \
         Content-Encoding gzip or deflate"
    )]
    UnknownEncoding {
        /// Which page.
        at: PageRef,
        /// The encoding.
        encoding: String,
    },
    /// The day ended before the end that the answers announced.
    #[error(
        "{at}: the product API said {said}, and {came} came; if what it says of its lists is wrong, do not \
         believe it: --product-api-fields total=,total_pages=,more="
    )]
    FewerThanSaid {
        /// The last page requested.
        at: PageRef,
        /// What the answers announced.
        said: String,
        /// Records received.
        came: u64,
    },
    /// Every record of a day has numbers or dates in another form.
    #[error(
        "{day}: each of its {records} records has its numbers or its date in another form than promised, such \
         as 5.0, \"5\" or 2026-01-31T00:00:00Z; the first such is {first}; if that is right, say \
         --product-api-other-forms"
    )]
    OtherForms {
        /// The day.
        day: NaiveDate,
        /// The number of records.
        records: u64,
        /// The first of them.
        first: String,
    },
    /// The answer is far too large.
    #[error(
        "{at}: the product API's answer is larger than {limit} bytes; ask for a smaller --page-size or raise \
         --product-api-max-page-bytes"
    )]
    PageTooLarge {
        /// Which page.
        at: PageRef,
        /// The most bytes allowed.
        limit: usize,
    },
    /// The server does not page.
    #[error(
        "{at}: the product API returned the companies of the page before once more; it seems to ignore the \
         parameter `page`, so that its records cannot be complete; if its first answer holds the whole day, say \
         --product-api-unpaged"
    )]
    RepeatedPage {
        /// The second of the two pages.
        at: PageRef,
    },
    /// The server pages endlessly.
    #[error(
        "{at}: the product API has still more pages; if that many are right raise --product-api-max-pages"
    )]
    EndlessPaging {
        /// The last page accepted.
        at: PageRef,
    },
    /// Every attempt failed.
    #[error("{last} (gave up after {attempts} attempts)")]
    GaveUp {
        /// The number of attempts.
        attempts: u32,
        /// The last attempt's error.
        last: Box<Error>,
    },
    /// Object storage failed.
    #[error("landing {day}: {source}")]
    Landing {
        /// The day to land.
        day: NaiveDate,
        /// The storage error.
        source: landing::Error,
    },
    /// The warehouse failed or refused.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
    /// Rows were lost or counted twice.
    #[error(transparent)]
    Imbalance(#[from] Imbalance),
    /// A defect in this service.
    #[error("fetching {day} ended abnormally; this is a defect, see the log")]
    Abnormal {
        /// The day to fetch.
        day: NaiveDate,
    },
    /// A reconciliation request is invalid.
    #[error(transparent)]
    InvalidRequest(#[from] FieldViolations),
    /// No export names the company.
    #[error("no export of the CRM has ever named the company {0}")]
    NotInCrm(CompanyId),
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Token(_) | Self::UnusableToken | Self::RequestRefused { .. } | Self::NotAllowed { .. } => {
                FailureKind::FailedPrecondition
            }
            Self::Unauthenticated { .. } => FailureKind::Unauthenticated,
            Self::Throttled { .. } => FailureKind::Exhausted,
            Self::ServerFailed { .. } | Self::Connection { .. } | Self::BrokenOff { .. } => {
                FailureKind::Unavailable
            }
            Self::TimedOut { .. } => FailureKind::TimedOut,
            Self::Malformed { .. }
            | Self::SaysItFailed { .. }
            | Self::UnknownEncoding { .. }
            | Self::FewerThanSaid { .. }
            | Self::OtherForms { .. }
            | Self::PageTooLarge { .. }
            | Self::RepeatedPage { .. }
            | Self::EndlessPaging { .. } => FailureKind::InvalidInput,
            Self::GaveUp { last, .. } => last.kind(),
            Self::Landing { source, .. } => source.kind(),
            Self::Warehouse(error) => error.kind(),
            Self::Imbalance(_) | Self::Abnormal { .. } => FailureKind::Internal,
            Self::InvalidRequest(_) => FailureKind::InvalidArgument,
            Self::NotInCrm(_) => FailureKind::NotFound,
        }
    }

    /// Whether the same request may succeed next time. An answer that reports a
    /// failure is requested again, but it is an answer: unlike a server that is
    /// away, it does not keep a stage waiting.
    pub(crate) fn is_worth_another_request(&self) -> bool {
        matches!(self, Self::SaysItFailed { .. }) || self.kind().is_transient()
    }

    /// Whether the answer for a day cannot be used, or will not be given: asking again changes
    /// nothing.
    pub(crate) fn refuses_the_day(&self) -> bool {
        match self {
            Self::RequestRefused { .. } => true,
            Self::GaveUp { last, .. } => last.refuses_the_day(),
            other => other.kind() == FailureKind::InvalidInput,
        }
    }

    /// Whether the product API wants fewer requests.
    pub(crate) const fn says_too_many(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::ServerFailed { retry_after: Some(_), .. })
    }

    /// The status of an answer that says the product API knows nothing of the
    /// requested day, as for days before its history.
    pub(crate) fn as_unknown_day(&self) -> Option<StatusCode> {
        match self {
            Self::RequestRefused { at: PageRef { page: 1, .. }, status } => matches!(
                *status,
                StatusCode::BAD_REQUEST
                    | StatusCode::NOT_FOUND
                    | StatusCode::GONE
                    | StatusCode::RANGE_NOT_SATISFIABLE
            )
            .then_some(*status),
            _ => None,
        }
    }

    /// How long the product API asks to wait, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::ServerFailed { retry_after, .. } => *retry_after,
            Self::GaveUp { last, .. } => last.retry_after(),
            _ => None,
        }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.to_string(), retry_after: error.retry_after() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = match error {
            Error::InvalidRequest(violations) => return violations.into(),
            _ => error.to_string(),
        };
        contract::status(error.kind(), message, error.retry_after())
    }
}

#[cfg(test)]
mod tests;
