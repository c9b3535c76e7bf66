//! Reads a file, with a span from start to end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};

use crate::{error::Error, operation::Operation};

/// Chunks of a file being read.
pub(crate) struct Reading {
    chunks: BoxStream<'static, Result<Bytes, Error>>,
    /// `None` after the end, however long the stream is kept.
    operation: Option<Operation>,
}

impl Reading {
    pub(crate) const fn new(chunks: BoxStream<'static, Result<Bytes, Error>>, operation: Operation) -> Self {
        Self { chunks, operation: Some(operation) }
    }
}

impl Stream for Reading {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { chunks, operation } = &mut *self;
        let Some(reading) = operation else { return chunks.poll_next_unpin(context) };
        let item = ready!(reading.span().in_scope(|| chunks.poll_next_unpin(context)));
        match &item {
            Some(Ok(chunk)) => reading.add_bytes(chunk.len()),
            Some(Err(error)) => reading.fail(error),
            None => *operation = None,
        }
        Poll::Ready(item)
    }
}
