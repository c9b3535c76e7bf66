//! The body of a page: whether its browser still reads it, and when it has to end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::observed::{Ended, Exchange};
use crate::{
    connections::ConnectionCall,
    rpc::{AbandonableBody, OpenCall},
};

/// A response's body. Dropped by the end of its connection at the latest.
pub(super) struct ResponseBody {
    body: AbandonableBody,
    open: OpenCall,
    exchange: Ended,
}

impl ResponseBody {
    /// `held` keeps the connection from being idle as long as the body is read; `end` ends it.
    pub(super) fn new(
        body: Body,
        held: Option<ConnectionCall>,
        end: Option<CancellationToken>,
        open: OpenCall,
        exchange: Exchange,
    ) -> Self {
        let end = end.map(|token| Box::pin(token.cancelled_owned()));
        let body = AbandonableBody::failing(tonic::body::Body::new(Held { body, end, _held: held }));
        open.responds(body.handle());
        Self { body, open, exchange: exchange.into() }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let in_span = self.exchange.span().clone().entered();
        self.open.works();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        drop(in_span);
        self.open.waits_for_its_reader();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What goes when nobody reads the body.
struct Held {
    body: Body,
    end: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    _held: Option<ConnectionCall>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
