//! A span for every operation on a store that is part of a trace.

use telemetry::{failable_span, spans};
use tracing::{Instrument, Span, field::Empty};

use crate::error::Error;

/// An operation under way; its span ends when this is dropped. Nothing but a
/// file's path, the storage's root and sizes are told: credentials are in none.
#[derive(Debug)]
pub(crate) struct Operation {
    span: Span,
    bytes: u64,
}

impl Operation {
    /// Begins a span called `name`. Outside of any trace there is none: a poll of
    /// a store must not begin one.
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

    /// Does `work` in the span, and tells if it fails.
    pub(crate) async fn observe<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = work.instrument(self.span()).await;
        if let Err(error) = &outcome {
            self.fail(error);
        }
        outcome
    }

    /// What is to be done in the span.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The size of the file that it is about.
    pub(crate) fn tell_size(&self, bytes: u64) {
        self.span.record("file.size", spans::count(bytes));
    }

    /// How many files were found.
    pub(crate) fn tell_files(&self, files: usize) {
        self.span.record("pipeline.files", spans::count(files as u64));
    }

    /// Bytes went over.
    pub(crate) const fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Tells why it failed.
    pub(crate) fn fail(&self, error: &Error) {
        spans::record_failure_of(&self.span, error.kind(), error);
    }

    /// Ends an operation that was given up for a reason that is not its own.
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
