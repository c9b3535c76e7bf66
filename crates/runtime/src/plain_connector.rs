//! Connects tonic's endpoints over TCP, and notices a port that speaks TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is wrong if a port answers in TLS. What HTTP/2 makes of such an answer says nothing.
pub(crate) const NOT_PLAIN: &str = "the port speaks TLS, not plain text: use https://";

/// The beginning of a TLS alert: its type, and the version's first byte. As HTTP/2 it would
/// begin settings of more than a megabyte.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Connects over TCP.
#[derive(Debug, Clone)]
pub(crate) struct PlainConnector(HttpConnector);

impl PlainConnector {
    pub(crate) fn new(connect_timeout: Duration, tcp_keepalive: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        // Without it a call waits 40 ms.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(tcp_keepalive));
        tcp.set_connect_timeout(Some(connect_timeout));
        Self(tcp)
    }
}

impl Service<Uri> for PlainConnector {
    type Response = TokioIo<PlainStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let wrap = |tcp: TokioIo<TcpStream>| {
            TokioIo::new(PlainStream { tcp: tcp.into_inner(), is_first_read: true })
        };
        self.0.call(uri).map_ok(wrap).map_err(Into::into).boxed()
    }
}

/// A connection whose first bytes are looked at.
#[derive(Debug)]
pub(crate) struct PlainStream {
    tcp: TcpStream,
    is_first_read: bool,
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        if std::mem::take(&mut self.is_first_read) && buffer.filled()[before..].starts_with(&TLS_ALERT) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, NOT_PLAIN)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
