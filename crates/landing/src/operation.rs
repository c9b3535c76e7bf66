//! A span for every operation on a store inside a trace.

use telemetry::{failable_span, spans};
use tracing::{Instrument, Span, field::Empty};

use crate::error::Error;

/// An operation in progress; dropping it ends its span. It records only the file's
/// path, the storage's root and sizes, none of which hold credentials.
#[derive(Debug)]
pub(crate) struct Operation {
    span: Span,
    bytes: u64,
}

impl Operation {
    /// Starts a span called `name`. Outside a trace there is no span: polling a store
    /// must not start a trace.
    pub(crate) fn begin(name: &'static str, root: &str, path: Option<&str>) -> Self {
        if Span::current().is_none() {
            return Self { span: Span::none(), bytes: 0 };
        }
        let span = failable_span!(
            "storage",
            otel.name = name,
            otel.kind = "client",
            url.scheme = root.split(':').next(),
            pipeline.storage = root,
            file.path = path,
            file.size = Empty,
            pipeline.files = Empty,
            pipeline.bytes = Empty,
        );
        Self { span, bytes: 0 }
    }

    /// Runs `work` in the span, and records its failure.
    pub(crate) async fn observe<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = work.instrument(self.span()).await;
        if let Err(error) = &outcome {
            self.fail(error);
        }
        outcome
    }

    /// The span, to run work in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Records the size of the file.
    pub(crate) fn report_size(&self, bytes: u64) {
        self.span.record("file.size", spans::count(bytes));
    }

    /// Records how many files were found.
    pub(crate) fn report_files(&self, files: usize) {
        self.span.record("pipeline.files", spans::count(files as u64));
    }

    /// Counts transferred bytes.
    pub(crate) const fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Records why it failed.
    pub(crate) fn fail(&self, error: &Error) {
        spans::record_failure_of(&self.span, error.kind(), error);
    }

    /// Ends an operation that was abandoned for an outside reason.
    pub(crate) fn abandon(&self, cause: &str) {
        spans::record_failure(&self.span, "abandoned", &cause);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.span.record("pipeline.bytes", spans::count(self.bytes));
        }
    }
}
