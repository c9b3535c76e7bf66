//! What traces and metrics record about one request to a webhook. Never its
//! URL: that is secret, including its host.

use std::time::Instant;

use reqwest::StatusCode;
use telemetry::{failable_span, metrics::HttpRequests, spans};
use tracing::{Span, field::Empty};

use crate::{endpoint::Channel, send_error::SendError};

/// One request to a webhook.
#[derive(Debug)]
pub(crate) struct Attempt {
    channel: Channel,
    span: Span,
    began: Instant,
    status: Option<StatusCode>,
}

impl Attempt {
    /// Begins a request.
    pub(crate) fn begin(channel: Channel) -> Self {
        let span = failable_span!(
            "attempt",
            otel.name = format!("POST {channel}"),
            otel.kind = "client",
            http.request.method = "POST",
            http.response.status_code = Empty,
            pipeline.channel = channel.as_str(),
        );
        Self { channel, span, began: Instant::now(), status: None }
    }

    /// The span to send the request in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Records that an answer came.
    pub(crate) const fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Records the answer, or that none came.
    pub(crate) fn end(self, outcome: &Result<(), SendError>) {
        let status = self.status.map(|status| status.as_u16());
        HttpRequests::new("POST", self.channel.as_str()).record(self.began.elapsed(), status);
        if let Some(status) = status {
            self.span.record("http.response.status_code", i64::from(status));
        }
        if let Err(error) = outcome {
            spans::record_failure(&self.span, error.error_type(), error);
        }
    }
}
